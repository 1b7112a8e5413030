namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>What the ZooKeeper store tells. Event ids 2270 … 2289.</summary>
internal static partial class ZooKeeperLog
{
    [LoggerMessage(2270, LogLevel.Information, "ZooKeeper at {host}:{port} serves session 0x{sessionId:x}, timeout "
        + "{timeout}")]
    public static partial void Connected(ILogger logger, string host, int port, long sessionId, TimeSpan timeout);

    [LoggerMessage(2271, LogLevel.Warning, "ZooKeeper at {host}:{port} is lost, the session may live on: {why}")]
    public static partial void Disconnected(ILogger logger, string host, int port, string why);

    [LoggerMessage(2272, LogLevel.Warning, "ZooKeeper session 0x{sessionId:x} has expired")]
    public static partial void Expired(ILogger logger, long sessionId);

    [LoggerMessage(2273, LogLevel.Error,
        "ZooKeeper at {location} does not hold the data it held before (epoch {before}, now {after}): marks may be "
        + "lost, and stale holders may be admitted. Restore the ensemble's data, or raise the marks of the resources "
        + "in use")]
    public static partial void DataLost(ILogger logger, string location, string before, string after);

    [LoggerMessage(2274, LogLevel.Warning, "Session {session} had no heartbeat for {timeToLive} and was ended")]
    public static partial void SessionNotBeating(ILogger logger, string session, TimeSpan timeToLive);

    [LoggerMessage(2275, LogLevel.Warning, "A listing looked at {looked} of {total} resources that may match; give a "
        + "longer prefix to see the rest")]
    public static partial void ListingCut(ILogger logger, int looked, int total);

    [LoggerMessage(2277, LogLevel.Warning,
        "Everybody who reaches ZooKeeper may change or delete nodes under {root}: they were made before "
        + "TokenStore:ZooKeeper:User was set. Close them: zkCli.sh, addauth digest user:password, setAcl -R {root} "
        + "auth::cdrwa")]
    public static partial void NodesAreOpen(ILogger logger, string root);

    [LoggerMessage(2276, LogLevel.Warning, "A change of {resource} could not be looked at, the next heartbeat does: "
        + "{error}")]
    public static partial void RefreshFailed(ILogger logger, string resource, ZooKeeperError error);
}
