namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>A reply, or why there is none.</summary>
/// <param name="Error">How the request ended.</param>
/// <param name="Value">Set when it ended well.</param>
/// <param name="Zxid">The number of the latest change that the server had made then; 0 without a reply.</param>
internal readonly record struct ZooKeeperReply<T>(ZooKeeperError Error, T Value, long Zxid)
{
    public bool IsOk => Error == ZooKeeperError.Ok;
}

/// <summary>What the protocol tells of a node (its Stat), as far as it is used here.</summary>
/// <param name="CreatedZxid">The change that made it.</param>
/// <param name="ModifiedZxid">The change that wrote its data last.</param>
/// <param name="Version">How often its data was written since.</param>
/// <param name="EphemeralOwner">The session it goes with; 0 when it stays.</param>
/// <param name="Children">How many it has.</param>
internal readonly record struct NodeStat(
    long CreatedZxid, long ModifiedZxid, int Version, long EphemeralOwner, int Children)
{
    public static NodeStat Read(ref JuteReader reader)
    {
        var created = reader.Long();
        var modified = reader.Long();
        _ = reader.Long(); // ctime
        _ = reader.Long(); // mtime: clocks of servers decide nothing here
        var version = reader.Int();
        _ = reader.Int(); // cversion
        _ = reader.Int(); // aversion
        var owner = reader.Long();
        _ = reader.Int(); // dataLength
        var children = reader.Int();
        _ = reader.Long(); // pzxid
        return new NodeStat(created, modified, version, owner, children);
    }
}

/// <summary>A node's data with its version.</summary>
internal sealed record NodeData(byte[] Data, NodeStat Stat);

/// <summary>What became of one operation of several that are done together or not at all.</summary>
internal readonly record struct MultiResult(ZooKeeperError Error, NodeStat Stat);

internal enum WatchEventType
{
    None = -1,
    NodeCreated = 1,
    NodeDeleted = 2,
    NodeDataChanged = 3,
    NodeChildrenChanged = 4,
}

/// <summary>A watch has fired, and is gone with that.</summary>
internal readonly record struct WatchEvent(WatchEventType Type, string Path);
