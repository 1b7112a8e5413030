namespace FenceGateway.Gateway.Overload;

internal static partial class OverloadLog
{
    [LoggerMessage(1671, LogLevel.Warning,
        "The gateway is overloaded: {limit} requests are in progress, as many as FenceGateway:Limits:MaxInFlight allows. "
        + "Further ones get 503 without a line of their own in this log")]
    public static partial void Began(this ILogger logger, int limit);

    [LoggerMessage(1672, LogLevel.Warning, "The overload is over: {count} requests were turned away within {duration}")]
    public static partial void Ended(this ILogger logger, long count, TimeSpan duration);
}
