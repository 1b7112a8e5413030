namespace FenceGateway.Gateway.Resilience.Bulkheads;

internal static partial class BulkheadLog
{
    [LoggerMessage(1611, LogLevel.Warning,
        "The bulkhead of {scope} {bulkhead} turns requests away ({reason}): {count} since this was last said, the "
        + "latest to {resource}. Said at most every {pause}")]
    public static partial void TurnsAway(
        this ILogger logger, string scope, string bulkhead, string reason, long count, string resource, TimeSpan pause);
}
