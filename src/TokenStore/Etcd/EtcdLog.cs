namespace FenceGateway.TokenStore.Etcd;

/// <summary>What the etcd store tells. Event ids 2290 … 2309.</summary>
internal static partial class EtcdLog
{
    [LoggerMessage(2290, LogLevel.Information, "Token store etcd {version} at {location}: opened, {members} voting "
        + "members, grade {grade}")]
    public static partial void Opened(ILogger logger, string version, string location, int members, SafetyGrade grade);

    [LoggerMessage(2291, LogLevel.Error,
        "Token store etcd at {location}: this is not the data it had before (epoch {epoch} instead of {before}). "
        + "Marks were lost: tokens that were stale may be admitted")]
    public static partial void EpochChanged(ILogger logger, string location, string before, string epoch);

    [LoggerMessage(2292, LogLevel.Error,
        "Token store etcd at {location}: it went back from revision {before} to {revision}, was it restored from a "
        + "backup? Marks were lost: tokens that were stale may be admitted")]
    public static partial void WentBack(ILogger logger, string location, long before, long revision);

    [LoggerMessage(2293, LogLevel.Warning,
        "Token store etcd at {location}: the watch broke off, changes are polled until it is back: {reason}")]
    public static partial void WatchBroken(ILogger logger, string location, string reason);

    [LoggerMessage(2294, LogLevel.Information, "Token store etcd at {location}: the watch goes on from revision "
        + "{revision}")]
    public static partial void WatchResumed(ILogger logger, string location, long revision);

    [LoggerMessage(2295, LogLevel.Warning,
        "Token store etcd at {location}: the history from revision {revision} on was compacted away before the watch "
        + "saw it; revocations are read anew")]
    public static partial void Compacted(ILogger logger, string location, long revision);
}
