namespace FenceGateway.Gateway.Resilience.Bulkheads;

internal static partial class BulkheadLog
{
    [LoggerMessage(1611, LogLevel.Warning,
        "The bulkhead of {scope} {bulkhead} turns requests away ({reason}), now one to {resource}. Said at most every {quiet}")]
    public static partial void TurnsAway(
        this ILogger logger, string scope, string bulkhead, string reason, string? resource, TimeSpan quiet);
}
