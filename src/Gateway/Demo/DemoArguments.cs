namespace FenceGateway.Gateway.Demo;

/// <summary>What the command line says about the demo.</summary>
/// <param name="Once">Exit after the story instead of staying up.</param>
/// <param name="Port">Port of the gateway; 0 means any free one, for the other ports too.</param>
/// <param name="AdminPort">Port of the admin listener.</param>
/// <param name="ServicePort">Port of the sample service.</param>
/// <param name="NoColor">Plain text.</param>
/// <param name="Settings">Settings of .NET configuration for the gateway, as .NET's command line takes them.</param>
internal sealed record DemoArguments(
    bool Once, int Port, int AdminPort, int ServicePort, bool NoColor, string[] Settings)
{
    public const int DefaultPort = 8080;
    public const int DefaultAdminPort = 8081;
    public const int DefaultServicePort = 9001;
}
