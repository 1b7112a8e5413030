using Microsoft.Extensions.Logging;
namespace FenceGateway.Replication;

/// <summary>What replication tells. Event ids 2330 … 2339.</summary>
internal static partial class ReplicationLog
{
    [LoggerMessage(2330, LogLevel.Information, "Replication from region {region}: its marks are read from {provider} "
        + "at {location}")]
    public static partial void Reached(ILogger logger, string region, string provider, string location);

    [LoggerMessage(2331, LogLevel.Warning,
        "Replication from region {region}: its store cannot be read, "
        + "its stale holders are not known here until it can: {reason}")]
    public static partial void Away(ILogger logger, string region, string reason);

    [LoggerMessage(2332, LogLevel.Information, "Replication from region {region}: all marks were read, {merged} were "
        + "raised here since the start")]
    public static partial void Swept(ILogger logger, string region, long merged);

    [LoggerMessage(2333, LogLevel.Warning,
        "Replication from region {region}: more marks changed there than {marks} in one round; "
        + "older ones are taken over as fast as it goes")]
    public static partial void Behind(ILogger logger, string region, int marks);

    [LoggerMessage(2334, LogLevel.Error,
        "Replication from region {region}: its store has gone back from change {before} to {now}. "
        + "It lost marks; all of them are read anew, none is lowered here")]
    public static partial void WentBack(ILogger logger, string region, long before, long now);

    [LoggerMessage(2335, LogLevel.Warning, "Replication from region {region}: a mark cannot be raised here: {reason}")]
    public static partial void OwnStoreAway(ILogger logger, string region, string reason);
}
