namespace FenceGateway.Gateway.Chaos;

internal static partial class ChaosLog
{
    [LoggerMessage(1661, LogLevel.Warning,
        "Chaos rule {rule} injects {kind} into {method} {path} on route {route}; correlation {correlationId}")]
    public static partial void Injected(
        this ILogger logger, string rule, string kind, string method, string? path, string route, string correlationId);

    [LoggerMessage(1662, LogLevel.Warning,
        "CHAOS IS ON: requests are delayed, failed or answered in the service's place on purpose, by the rules "
            + "{rules}")]
    public static partial void On(this ILogger logger, string rules);

    [LoggerMessage(1663, LogLevel.Warning,
        "FenceGateway:Chaos:Enabled is true, but this process was started without --allow-chaos and without "
        + "FENCEGATEWAY_ALLOW_CHAOS=true: NOTHING is injected")]
    public static partial void NotAllowed(this ILogger logger);

    [LoggerMessage(1664, LogLevel.Warning, "Chaos is off again: nothing is injected any more")]
    public static partial void Off(this ILogger logger);
}
