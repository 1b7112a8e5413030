namespace FenceGateway.TokenStore.Quorum;

/// <summary>What the quorum store tells. Event ids 2220 … 2239.</summary>
internal static partial class QuorumLog
{
    [LoggerMessage(2220, LogLevel.Information,
        "Quorum: an empty store, begun anew on {nodes} nodes under the prefix {prefix}. No mark is known")]
    public static partial void Created(ILogger logger, int nodes, string prefix);

    [LoggerMessage(2221, LogLevel.Error,
        "Quorum: NODE {node} HAS LOST ITS DATA, or is new. It abstains until it is resynchronised from a majority of "
        + "the other nodes. Find out why the data was not kept (appendonly, appendfsync, the disk)")]
    public static partial void NodeAbstains(ILogger logger, string node);

    [LoggerMessage(2222, LogLevel.Information, "Quorum: node {node} is being resynchronised from {sources} others, "
        + "generation {generation}")]
    public static partial void ResyncBegun(ILogger logger, string node, int sources, long generation);

    [LoggerMessage(2223, LogLevel.Information, "Quorum: node {node}: {resources} resources copied so far")]
    public static partial void ResyncGoesOn(ILogger logger, string node, long resources);

    [LoggerMessage(2224, LogLevel.Information, "Quorum: node {node} has all of {resources} resources and counts again, "
        + "generation {generation}")]
    public static partial void ResyncDone(ILogger logger, string node, long resources, long generation);

    [LoggerMessage(2225, LogLevel.Warning, "Quorum: node {node} could not be made part of the store; it is tried "
        + "again: {reason}")]
    public static partial void NotHealed(ILogger logger, string node, string reason);

    [LoggerMessage(2226, LogLevel.Error,
        "Quorum: node {node} belongs to another store ({found} instead of {expected}) and is not asked. Check the "
            + "addresses and the prefix")]
    public static partial void Foreign(ILogger logger, string node, string found, string expected);

    [LoggerMessage(2227, LogLevel.Error,
        "QUORUM: ALL NODES HAVE LOST THEIR DATA: they were the store {before} and are {now} now. Every mark is "
        + "forgotten: a stale holder can write again until the marks have risen anew")]
    public static partial void DataLost(ILogger logger, string before, string now);

    [LoggerMessage(2228, LogLevel.Warning,
        "Quorum: no messages of node {node}. Takeovers between gateways may wait for the next poll. {reason}")]
    public static partial void NotSubscribed(ILogger logger, string node, string reason);

    [LoggerMessage(2230, LogLevel.Warning, "Quorum: the grade is {grade} now: {reasons}")]
    public static partial void GradeChanged(ILogger logger, SafetyGrade grade, string reasons);
}
