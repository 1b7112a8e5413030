namespace FenceGateway.Gateway.Cli;

/// <summary>What the command line says about the demo. A port that is null is the demo's own choice.</summary>
/// <param name="Once">End after the story instead of staying up.</param>
/// <param name="Port">Port of the data listener.</param>
/// <param name="AdminPort">Port of the admin listener.</param>
/// <param name="ServicePort">Port of the sample service.</param>
/// <param name="NoColor">Plain text.</param>
/// <param name="Settings">Settings of .NET configuration.</param>
internal sealed record DemoArguments(
    bool Once, int? Port, int? AdminPort, int? ServicePort, bool NoColor, string[] Settings);
