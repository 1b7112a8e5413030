using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Chaos;

/// <summary>
/// The switch that only who starts the process can turn. The other one is <c>Enabled</c> in the configuration.
/// </summary>
internal sealed record ChaosSwitch(bool IsAllowed)
{
    public const string Variable = "FENCEGATEWAY_ALLOW_CHAOS";

    public static ChaosSwitch Of(GatewayArguments arguments) => new(
        arguments.AllowChaos
            || "true".Equals(Environment.GetEnvironmentVariable(Variable), StringComparison.OrdinalIgnoreCase));
}
