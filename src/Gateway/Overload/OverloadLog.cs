namespace FenceGateway.Gateway.Overload;

internal static partial class OverloadLog
{
    [LoggerMessage(1671, LogLevel.Warning,
        "The gateway is overloaded: {limit} requests are in progress, as many as FenceGateway:Limits:MaxInFlight "
        + "allows. Further ones get 503 without a line of their own in this log")]
    public static partial void Began(this ILogger logger, int limit);

    [LoggerMessage(EventId = 1673, Message =
        "The process may open {descriptors} files, too few for FenceGateway:Limits: it takes {connections} connections "
        + "instead of {maxConnections}, and {inFlight} requests in progress instead of {maxInFlight}. Raise it: ulimit "
        + "-n, LimitNOFILE= in systemd, --ulimit nofile= in Docker")]
    public static partial void FewDescriptors(
        this ILogger logger, LogLevel level, long descriptors, int connections, int maxConnections, int inFlight,
        int maxInFlight);

    [LoggerMessage(1672, LogLevel.Warning, "The overload is over: {count} requests were turned away within {duration}")]
    public static partial void Ended(this ILogger logger, long count, TimeSpan duration);
}
