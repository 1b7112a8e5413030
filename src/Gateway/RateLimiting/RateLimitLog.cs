namespace FenceGateway.Gateway.RateLimiting;

internal static partial class RateLimitLog
{
    [LoggerMessage(1631, LogLevel.Warning,
        "Rate limiter policy {policy} has all of its {maxPartitions} partitions in use: new ones share one limit. Said "
        + "once for each policy and version of it")]
    public static partial void Overflowed(this ILogger logger, string policy, int maxPartitions);
}
