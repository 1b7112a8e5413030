namespace FenceGateway.Gateway.Configuration;

/// <summary>What the command line says about configuration.</summary>
/// <param name="ConfigFile">The file named with <c>--config</c>, or null.</param>
/// <param name="Settings">Settings such as <c>--urls X</c> or <c>--Section:Key=value</c>, as .NET's command line takes
/// them.</param>
/// <param name="AllowChaos">Whether faults may be injected, if the configuration wants it:
/// <c>--allow-chaos</c>.</param>
internal sealed record GatewayArguments(string? ConfigFile, string[] Settings, bool AllowChaos = false);
