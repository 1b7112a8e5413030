namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

internal static partial class CircuitLog
{
    [LoggerMessage(1601, LogLevel.Warning,
        "The circuit of destination {destination} of cluster {cluster} ({policy}) is open for {breakDuration}: "
            + "{reason}")]
    public static partial void Opened(
        this ILogger logger, string cluster, string destination, string policy, TimeSpan breakDuration, string reason);

    [LoggerMessage(1602, LogLevel.Information,
        "The circuit of destination {destination} of cluster {cluster} ({policy}) is half-open: it is being probed")]
    public static partial void HalfOpened(this ILogger logger, string cluster, string destination, string policy);

    [LoggerMessage(1603, LogLevel.Information,
        "The circuit of destination {destination} of cluster {cluster} ({policy}) is closed: {reason}")]
    public static partial void Closed(
        this ILogger logger, string cluster, string destination, string policy, string reason);

    [LoggerMessage(1604, LogLevel.Warning,
        "The circuit of destination {destination} of cluster {cluster} ({policy}) is isolated: {reason}")]
    public static partial void Isolated(
        this ILogger logger, string cluster, string destination, string policy, string reason);

    [LoggerMessage(1605, LogLevel.Warning, "Audit: {actor} isolated destination {destination} of cluster {cluster}: "
        + "{reason}")]
    public static partial void IsolatedByOperator(
        this ILogger logger, string actor, string cluster, string destination, string reason);

    [LoggerMessage(1606, LogLevel.Warning,
        "Audit: {actor} closed the circuits of destination {destination} of cluster {cluster}: {reason}")]
    public static partial void ClosedByOperator(
        this ILogger logger, string actor, string cluster, string destination, string reason);
}
