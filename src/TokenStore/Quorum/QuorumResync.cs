using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>
/// Gives a node that lost its data what the others know. In this order: the node is claimed, by a key that it would
/// lose with its data; a new generation begins at a majority of the others, after which no answer that counts can still
/// be added to what the node had said before; all that they know is merged into the node; it counts again. Whatever
/// breaks off in between leaves it abstaining.
/// </summary>
/// <remarks>
/// What was at a majority is at one of the sources at least: they are a majority, and so share a node with every other
/// one. Of what only a minority had it does not matter whether the node gets it.
/// </remarks>
internal sealed class QuorumResync(QuorumNodes nodes, ILogger logger)
{
    /// <summary>So many resources are copied at once, more or less.</summary>
    private const int Page = 200;

    /// <summary>So long a claim holds without a page.</summary>
    private static readonly TimeSpan Claim = TimeSpan.FromSeconds(20);

    private static readonly RedisScript SessionsScript = NodeScript.Guarded(
        """
        -- KEYS: 1 meta, 2 sessions
        -- ARGV: 1 store, 2 generation
        return {0, redis.call('HGETALL', KEYS[2])}
        """);

    /// <summary>Answers 0, where to go on ('0' at the end), and names and fields of resources.</summary>
    private static readonly RedisScript PageScript = NodeScript.Guarded(
        """
        -- KEYS: 1 meta, 2 index
        -- ARGV: 1 store, 2 generation, 3 where to go on, 4 about so many, 5 what the key of a resource begins with
        local scan, page = redis.call('ZSCAN', KEYS[2], ARGV[3], 'COUNT', ARGV[4]), {}
        for i = 1, #scan[2], 2 do
          page[#page + 1] = scan[2][i]
          page[#page + 1] = redis.call('HGETALL', ARGV[5] .. scan[2][i])
        end
        return {0, scan[1], page}
        """);

    /// <summary>
    /// Answers 1, or 0 when the claim is gone. A session that ended anywhere has ended; of two records the later one
    /// stands.
    /// </summary>
    private static readonly RedisScript MergeSessionsScript = new(
        """
        -- KEYS: 1 resync, 2 sessions, 3 ended
        -- ARGV: 1 token, 2 claim in ms, then session and record
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        local rank = {a = 0, e = 1, q = 2}
        for i = 3, #ARGV, 2 do
          local life, ttl, beats = string.match(ARGV[i + 1], '^(%a):(%d+):(%d+)$')
          local mine, _, had = string.match(redis.call('HGET', KEYS[2], ARGV[i]) or '', '^(%a):(%d+):(%d+)$')
          if not mine or rank[life] > rank[mine] or (life == mine and tonumber(beats) > tonumber(had)) then
            redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
            -- To be forgotten some time.
            if life ~= 'a' then redis.call('ZADD', KEYS[3], redis.call('TIME')[1] * 1000, ARGV[i]) end
          end
        end
        return 1
        """);

    /// <summary>
    /// Answers 1, or 0 when the claim is gone. The higher mark stands; of two registrations of a session the later one.
    /// </summary>
    private static readonly RedisScript MergeScript = new(
        NodeScript.After +
        """
        -- KEYS: 1 resync, 2 index, 3 revoked, 4 resource
        -- ARGV: 1 token, 2 claim in ms, 3 resource's name, then fields and values
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        local fields = {}
        for i = 4, #ARGV, 2 do fields[ARGV[i]] = ARGV[i + 1] end
        local mark = redis.call('HGET', KEYS[4], 'mark') or ''
        if fields.mark and fields.mark > mark then
          mark = fields.mark
          local seq = after(redis.call('HGET', KEYS[4], 'seq'), fields.seq)
          redis.call('HSET', KEYS[4], 'mark', mark, 'at', fields.at, 'seq', seq)
          redis.call('ZADD', KEYS[2], seq, ARGV[3])
        end
        for field, value in pairs(fields) do
          if string.sub(field, 1, 2) == 'w:' then
            local mine = redis.call('HGET', KEYS[4], field)
            if not mine or string.sub(mine, 21, 39) < string.sub(value, 21, 39) then
              redis.call('HSET', KEYS[4], field, value)
            end
          end
        end
        local all = redis.call('HGETALL', KEYS[4])
        for i = 1, #all, 2 do
          if string.sub(all[i], 1, 2) == 'w:' and string.sub(all[i + 1], 1, 19) < mark then
            redis.call('ZADD', KEYS[3], 0, string.sub(all[i], 3) .. '\n' .. ARGV[3])
          end
        end
        return 1
        """);

    private int _isRunning;

    /// <summary>
    /// One after the other: two that begin a generation at the same time keep each other from it. Whether the node
    /// counts again; false when somebody is at it, be it at another node.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">It could not be done now.</exception>
    public async Task<bool> TryRunAsync(QuorumNode node, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _isRunning, 1) != 0)
        {
            return false;
        }

        try
        {
            return await RunAsync(node, cancellationToken);
        }
        finally
        {
            Volatile.Write(ref _isRunning, 0);
        }
    }

    private async Task<bool> RunAsync(QuorumNode node, CancellationToken cancellationToken)
    {
        var token = QuorumMembership.NewSeat() + QuorumMembership.NewSeat();
        var (view, link) = (nodes.View, node.Link ?? throw Gone(node));
        using (var limit = RedisLink.LimitQuestions(cancellationToken))
        {
            if (!await MembershipScripts.ClaimAsync(link, view.Keys, token, Claim, limit.Token))
            {
                return false;
            }
        }

        try
        {
            await CopyAsync(node, link, view, token, cancellationToken);
            return true;
        }
        catch
        {
            // Else nobody could try again before the claim has run out. What still arrives in its name changes nothing
            // any more.
            using var releasing = RedisLink.LimitQuestions(CancellationToken.None);
            await MembershipScripts.ReleaseAsync(link, view.Keys, token, releasing.Token).AsTask().Ending();
            throw;
        }
    }

    private async Task CopyAsync(
        QuorumNode node, RedisLink link, QuorumView view, string token, CancellationToken cancellationToken)
    {
        var (sources, generation) = await AdvanceAsync(node, view, cancellationToken);
        QuorumLog.ResyncBegun(logger, node.Location, sources.Count, generation);
        var copied = 0L;
        foreach (var source in sources)
        {
            var from = view with { Generation = generation };
            await CopySessionsAsync(source, link, from, token, cancellationToken);
            copied = Math.Max(copied, await CopyResourcesAsync(source, link, from, token, cancellationToken));
        }

        using var rejoining = RedisLink.LimitQuestions(cancellationToken);
        if (!await MembershipScripts.RejoinAsync(
            link, view.Keys, token, view.Name, generation, QuorumMembership.NewSeat(), rejoining.Token))
        {
            throw ClaimLost(node);
        }

        QuorumLog.ResyncDone(logger, node.Location, copied, generation);
    }

    /// <summary>
    /// Begins a generation at a majority of the other nodes; those at which it has begun are the sources.
    /// </summary>
    private async Task<(List<QuorumNode> Sources, long Generation)> AdvanceAsync(
        QuorumNode node, QuorumView view, CancellationToken cancellationToken)
    {
        using var limit = RedisLink.LimitQuestions(cancellationToken);

        // Read after the claim: whoever counts at this generation or a later one has not heard of the node what it has
        // lost.
        List<(QuorumNode Node, RedisLink Link, long Generation)> others = [];
        for (var i = 0; i < nodes.Count; i++)
        {
            if (nodes[i] is { IsReachable: true, Link: { } link } other && other != node
                && await MembershipScripts.ReadAsync(link, view.Keys, limit.Token) is { } known
                && known.Serving == view.Name)
            {
                others.Add((other, link, known.Generation));
            }
        }

        var generation = 1 + others.Select(static o => o.Generation).Append(nodes.View.Generation).Max();
        List<QuorumNode> sources = [];
        foreach (var other in others)
        {
            if (await MembershipScripts.AdvanceAsync(other.Link, view.Keys, view.Name, generation, limit.Token))
            {
                sources.Add(other.Node);
            }
        }

        if (sources.Count < nodes.Majority)
        {
            throw new TokenStoreUnavailableException(
                $"{sources.Count} of the other nodes can be copied from, and {nodes.Majority} are needed: "
                + "what the node has lost may be at any of them.");
        }

        nodes.Learn(generation);
        return (sources, generation);
    }

    private static async Task CopySessionsAsync(
        QuorumNode source, RedisLink target, QuorumView view, string token, CancellationToken cancellationToken)
    {
        var sessions = await DoneAsync(
            source, SessionsScript, [view.Keys.Meta, view.Keys.Sessions], [view.Name, view.Generation],
            cancellationToken);
        var all = (RedisResult[])sessions[1]!;
        foreach (var part in all.Select(static item => (RedisValue)(string)item!).Chunk(2 * Page))
        {
            await TakeAsync(
                target, source, MergeSessionsScript, [view.Keys.Resync, view.Keys.Sessions, view.Keys.Ended], token,
                part, cancellationToken);
        }
    }

    private async Task<long> CopyResourcesAsync(
        QuorumNode source, RedisLink target, QuorumView view, string token, CancellationToken cancellationToken)
    {
        var (cursor, copied) = ("0", 0L);
        do
        {
            var answer = await DoneAsync(
                source, PageScript, [view.Keys.Meta, view.Keys.Index],
                [view.Name, view.Generation, cursor, Page, view.Keys.ResourcePrefix], cancellationToken);
            cursor = (string)answer[1]!;
            var page = (RedisResult[])answer[2]!;
            foreach (var part in page.Chunk(2 * Page))
            {
                // One after the other would cost a round trip, and a flushed write, for each resource.
                await Task.WhenAll(part.Chunk(2).Select(
                    resource => TakeResourceAsync(source, target, view, token, resource, cancellationToken).AsTask()));
            }

            var before = copied;
            copied += page.Length / 2;
            if (copied / 10_000 > before / 10_000)
            {
                QuorumLog.ResyncGoesOn(logger, source.Location, copied);
            }
        }
        while (cursor != "0");
        return copied;
    }

    private static ValueTask TakeResourceAsync(
        QuorumNode source, RedisLink target, QuorumView view, string token, RedisResult[] resource,
        CancellationToken cancellationToken)
    {
        var (name, fields) = ((string)resource[0]!, (string[])resource[1]!);
        return TakeAsync(
            target, source, MergeScript,
            [
                view.Keys.Resync, view.Keys.Index, view.Keys.Revoked,
                (RedisKey)((string)view.Keys.ResourcePrefix! + name),
            ],
            token, [name, .. fields.Select(static f => (RedisValue)f)], cancellationToken);
    }

    private static async ValueTask<RedisResult[]> DoneAsync(
        QuorumNode source, RedisScript script, RedisKey[] keys, RedisValue[] arguments,
        CancellationToken cancellationToken)
    {
        using var limit = RedisLink.LimitQuestions(cancellationToken);
        var parts = (RedisResult[])(await WithinAsync(source, source.RunAsync(script, keys, arguments), limit.Token))!;
        return (int)parts[0] == 0
            ? parts
            : throw new TokenStoreUnavailableException($"Redis {source.Location} has become no source any more.");
    }

    /// <summary>A source that stops in the middle ends this attempt, not the looking after all nodes.</summary>
    private static async ValueTask<RedisResult> WithinAsync(
        QuorumNode source, ValueTask<RedisResult> call, CancellationToken limit)
    {
        try
        {
            return await call.AsTask().WaitAsync(limit);
        }
        catch (OperationCanceledException e)
        {
            throw new TokenStoreUnavailableException(
                $"Redis {source.Location} stopped answering while it was copied from.", e);
        }
    }

    private static async ValueTask TakeAsync(
        RedisLink target, QuorumNode source, RedisScript script, RedisKey[] keys, string token, RedisValue[] what,
        CancellationToken cancellationToken)
    {
        using var limit = RedisLink.LimitQuestions(cancellationToken);
        var taken = await target.RunAsync(script, keys, [token, (long)Claim.TotalMilliseconds, .. what], limit.Token);
        if ((int)taken != 1)
        {
            throw ClaimLost(source);
        }
    }

    private static TokenStoreUnavailableException ClaimLost(QuorumNode node) =>
        new($"The node was taken over or has lost its data again while it was resynchronised from {node.Location}.");

    private static TokenStoreUnavailableException Gone(QuorumNode node) =>
        TokenStoreUnavailableException.NothingTaken($"Redis {node.Location} is not connected.");
}
