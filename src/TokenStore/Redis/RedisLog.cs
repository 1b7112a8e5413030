namespace FenceGateway.TokenStore.Redis;

/// <summary>What the Redis store tells. Event ids 2200 … 2219.</summary>
internal static partial class RedisLog
{
    [LoggerMessage(2200, LogLevel.Information, "Redis {location}: an empty store, begun anew under the prefix "
        + "{prefix}. No mark is known")]
    public static partial void Created(ILogger logger, string location, string prefix);

    [LoggerMessage(2201, LogLevel.Warning, "Redis {location}: the {connection} connection was lost: {reason}")]
    public static partial void ConnectionLost(ILogger logger, string location, string connection, string reason);

    [LoggerMessage(2202, LogLevel.Information, "Redis {location}: the {connection} connection is back")]
    public static partial void ConnectionBack(ILogger logger, string location, string connection);

    [LoggerMessage(2203, LogLevel.Error,
        "REDIS {location} HAS LOST ITS DATA: it held the store {before} and now holds {now}. Every mark is forgotten: "
        + "a stale holder can write again until the marks have risen anew. Find out why the data was not kept "
        + "(appendonly, appendfsync, a failover)")]
    public static partial void DataLost(ILogger logger, string location, string before, string now);

    [LoggerMessage(2204, LogLevel.Error,
        "REDIS {location} HAS GONE BACK IN TIME: {now} changes of marks are known to it, and it had answered {before}. "
        + "The marks raised last are forgotten: a stale holder can write again. Find out why (appendfsync, a failover, "
        + "a restored backup)")]
    public static partial void DataOlder(ILogger logger, string location, long before, long now);

    [LoggerMessage(2205, LogLevel.Warning,
        "Redis {location}: no messages of the channel {channel}. Takeovers between gateways wait for the next poll. "
            + "{reason}")]
    public static partial void NotSubscribed(ILogger logger, string location, string channel, string reason);

    [LoggerMessage(2206, LogLevel.Warning, "Redis {location}: the grade is {grade} now and was {before}. {reasons}")]
    public static partial void GradeChanged(
        ILogger logger, string location, SafetyGrade grade, SafetyGrade before, string reasons);

    [LoggerMessage(2207, LogLevel.Error,
        "Redis {location}: the clock of its machine was set by about {seconds} s, or this gateway's machine stood "
        + "still for as long. Sessions end by that clock: one that ends early may have writes in flight that nobody "
        + "waits for. Let the clock be slewed, never stepped")]
    public static partial void ClockSet(ILogger logger, string location, double seconds);

    [LoggerMessage(2208, LogLevel.Warning,
        "Redis {location}: the Sentinels name {master} as the master now. What this one has answered last may be "
            + "missing there")]
    public static partial void MasterChanged(ILogger logger, string location, string master);
}
