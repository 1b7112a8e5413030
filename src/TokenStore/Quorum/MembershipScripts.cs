using FenceGateway.TokenStore.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>What a node knows of its part in the store.</summary>
/// <param name="Seat">The name it drew when it was empty; null for a node without data.</param>
/// <param name="Members">All seats; null before they were known.</param>
/// <param name="Serving">The store's name, which is its members, once the node counts; null for one that
/// abstains.</param>
/// <param name="Generation">Grows with every resynchronisation.</param>
internal sealed record NodeMembership(string? Seat, string? Members, string? Serving, long Generation)
{
    /// <summary>
    /// Whether the node has been ready to count ever since it drew its seat: it has lost nothing, because nobody has
    /// told it anything yet.
    /// </summary>
    public bool IsPrepared(string name) =>
        Serving is null && Members == name && Seat is { } seat && name.Split('.').Contains(seat);
}

/// <summary>
/// The steps by which a node becomes part of a store. None of them is guarded: they come before that.
/// </summary>
internal static class MembershipScripts
{
    /// <summary>Draws a seat unless there is one, and answers with it.</summary>
    private static readonly RedisScript SeatScript = new(
        """
        -- KEYS: 1 meta
        -- ARGV: 1 seat
        redis.call('HSETNX', KEYS[1], 'seat', ARGV[1])
        return redis.call('HGET', KEYS[1], 'seat')
        """);

    /// <summary>Notes all seats, unless the node serves already.</summary>
    private static readonly RedisScript MembersScript = new(
        """
        -- KEYS: 1 meta
        -- ARGV: 1 members
        if redis.call('HEXISTS', KEYS[1], 'serving') == 0 then redis.call('HSET', KEYS[1], 'members', ARGV[1]) end
        return redis.call('HGET', KEYS[1], 'members')
        """);

    /// <summary>Lets a node count that knows all seats; answers what it serves.</summary>
    private static readonly RedisScript ServeScript = new(
        """
        -- KEYS: 1 meta
        -- ARGV: 1 members, 2 generation
        if redis.call('HGET', KEYS[1], 'members') == ARGV[1] and redis.call('HEXISTS', KEYS[1], 'serving') == 0 then
          redis.call('HSET', KEYS[1], 'serving', ARGV[1], 'generation', ARGV[2])
        end
        return redis.call('HGET', KEYS[1], 'serving')
        """);

    /// <summary>Begins a generation; answers 1, or 0 where one as late has begun already.</summary>
    private static readonly RedisScript AdvanceScript = new(
        """
        -- KEYS: 1 meta
        -- ARGV: 1 store, 2 generation
        local meta = redis.call('HMGET', KEYS[1], 'serving', 'generation')
        if meta[1] ~= ARGV[1] or tonumber(meta[2]) >= tonumber(ARGV[2]) then return 0 end
        redis.call('HSET', KEYS[1], 'generation', ARGV[2])
        return 1
        """);

    /// <summary>Claims a node that abstains, for as many ms; answers 1, or 0 when somebody else has.</summary>
    private static readonly RedisScript ClaimScript = new(
        """
        -- KEYS: 1 meta, 2 resync
        -- ARGV: 1 token, 2 so many ms
        if redis.call('HEXISTS', KEYS[1], 'serving') == 1 then return 0 end
        return redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
        """);

    /// <summary>Gives a claim up.</summary>
    private static readonly RedisScript ReleaseScript = new(
        """
        -- KEYS: 1 resync
        -- ARGV: 1 token
        if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
        return 1
        """);

    /// <summary>
    /// Ends the resynchronisation: the node counts from now on. Answers 0 when it lost its data again meanwhile.
    /// </summary>
    private static readonly RedisScript RejoinScript = new(
        """
        -- KEYS: 1 meta, 2 resync
        -- ARGV: 1 token, 2 store, 3 generation, 4 seat
        if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
        redis.call('HSET', KEYS[1], 'seat', ARGV[4], 'members', ARGV[2], 'serving', ARGV[2], 'generation', ARGV[3])
        redis.call('DEL', KEYS[2])
        return 1
        """);

    public static async ValueTask<NodeMembership> ReadAsync(
        RedisLink link, QuorumKeys keys, CancellationToken cancellationToken)
    {
        var values = await link.AskAsync(
            () => link.Database.HashGetAsync(keys.Meta, ["seat", "members", "serving", "generation"], RedisLink.Master),
            cancellationToken);
        return new NodeMembership(values[0], values[1], values[2], values[3].IsNull ? 0 : (long)values[3]);
    }

    public static async ValueTask<string> SeatAsync(
        RedisLink link, QuorumKeys keys, string seat, CancellationToken cancellationToken) =>
        (string)(await link.RunAsync(SeatScript, [keys.Meta], [seat], cancellationToken))!;

    public static async ValueTask<string?> NoteAsync(
        RedisLink link, QuorumKeys keys, string members, CancellationToken cancellationToken) =>
        (string?)await link.RunAsync(MembersScript, [keys.Meta], [members], cancellationToken);

    public static async ValueTask<string?> ServeAsync(
        RedisLink link, QuorumKeys keys, string members, long generation, CancellationToken cancellationToken) =>
        (string?)await link.RunAsync(ServeScript, [keys.Meta], [members, generation], cancellationToken);

    public static async ValueTask<bool> AdvanceAsync(
        RedisLink link, QuorumKeys keys, string name, long generation, CancellationToken cancellationToken) =>
        (int)await link.RunAsync(AdvanceScript, [keys.Meta], [name, generation], cancellationToken) == 1;

    public static async ValueTask<bool> ClaimAsync(
        RedisLink link, QuorumKeys keys, string token, TimeSpan time, CancellationToken cancellationToken) =>
        (int)await link.RunAsync(
            ClaimScript, [keys.Meta, keys.Resync], [token, (long)time.TotalMilliseconds], cancellationToken) == 1;

    public static async ValueTask ReleaseAsync(
        RedisLink link, QuorumKeys keys, string token, CancellationToken cancellationToken) =>
        await link.RunAsync(ReleaseScript, [keys.Resync], [token], cancellationToken);

    public static async ValueTask<bool> RejoinAsync(
        RedisLink link, QuorumKeys keys, string token, string name, long generation, string seat,
        CancellationToken cancellationToken) =>
        (int)await link.RunAsync(
            RejoinScript, [keys.Meta, keys.Resync], [token, name, generation, seat], cancellationToken) == 1;
}
