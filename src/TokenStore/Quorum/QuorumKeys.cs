using StackExchange.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>The names of everything that a quorum store keeps at one of its nodes.</summary>
internal sealed class QuorumKeys(string prefix)
{
    private readonly string _resource = $"{{{prefix}}}:q:r:";
    private readonly string _channel = $"{{{prefix}}}:q:changed:";

    /// <summary>
    /// Hash: <c>seat</c> (the name this node drew), <c>members</c> (all seats), <c>serving</c> (= members, once it
    /// counts) and <c>generation</c>. A node that lost its data lacks it and abstains.
    /// </summary>
    public RedisKey Meta { get; } = $"{{{prefix}}}:q:meta";

    /// <summary>
    /// Hash: session → <c>a:ttl:beats</c> (lives), <c>e:ttl:beats</c> (ended) or <c>q:ttl:beats</c> (ended with nothing
    /// in flight); beats is the number of its latest heartbeat.
    /// </summary>
    public RedisKey Sessions { get; } = $"{{{prefix}}}:q:sessions";

    /// <summary>Sorted set: ended session → when, by this node's clock; only to forget it a day later.</summary>
    public RedisKey Ended { get; } = $"{{{prefix}}}:q:ended";

    /// <summary>
    /// Sorted set of <c>session LF resource</c>, all with score 0: where a session is registered below the mark.
    /// </summary>
    public RedisKey Revoked { get; } = $"{{{prefix}}}:q:revoked";

    /// <summary>Sorted set: resource → the sequence of its mark's latest change.</summary>
    public RedisKey Index { get; } = $"{{{prefix}}}:q:index";

    /// <summary>List of operators' changes, newest first, as JSON; bounded.</summary>
    public RedisKey Audit { get; } = $"{{{prefix}}}:q:audit";

    /// <summary>Who resynchronises this node; lost with its data.</summary>
    public RedisKey Resync { get; } = $"{{{prefix}}}:q:resync";

    /// <summary>
    /// The channel that changes are told on: <c>mark blank resource</c>. Channels are the server's, not the database's.
    /// </summary>
    public RedisValue ChannelIn(int database) => string.Create(CultureInfo.InvariantCulture, $"{_channel}{database}");

    /// <summary>What the key of a resource begins with.</summary>
    public RedisValue ResourcePrefix => _resource;

    /// <summary>
    /// Hash of a resource: <c>mark</c>, <c>at</c>, <c>seq</c>, and <c>w:session</c> → <c>token:sequence:ttl</c> for
    /// each writer.
    /// </summary>
    public RedisKey Resource(ResourceKey resource) => _resource + resource.Value;
}
