using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>What one node keeps of a resource, and what else changes it.</summary>
internal static class NodeMarkScripts
{
    /// <summary>
    /// Answers 0, and for a resource that is known mark, time and sequence of its change, and its writers.
    /// </summary>
    internal static readonly RedisScript FindScript = NodeScript.Guarded(
        """
        -- KEYS: 1 meta, 2 sessions, 3 resource
        -- ARGV: 1 store, 2 generation
        local fields = redis.call('HGETALL', KEYS[3])
        if #fields == 0 then return {0} end
        local found = {0, '', '', ''}
        for i = 1, #fields, 2 do
          if fields[i] == 'mark' then found[2] = fields[i + 1]
          elseif fields[i] == 'at' then found[3] = fields[i + 1]
          elseif fields[i] == 'seq' then found[4] = fields[i + 1]
          else
            local session = string.sub(fields[i], 3)
            found[#found + 1] = session
            found[#found + 1] = fields[i + 1]
            found[#found + 1] = redis.call('HGET', KEYS[2], session) or ''
          end
        end
        return found
        """);

    /// <summary>
    /// Raises the mark to one that is known elsewhere. With a stamp it is as if the mark had changed even where it is
    /// the same, so that what was asked for before is not carried out any more.
    /// </summary>
    internal static readonly RedisScript RaiseScript = NodeScript.Guarded(
        NodeScript.After +
        """
        -- KEYS: 1 meta, 2 sessions, 3 resource, 4 index, 5 revoked
        -- ARGV: 1 store, 2 generation, 3 mark (19 digits), 4 resource's name, 5 channel, 6 stamp, 7 time for people, 8
        -- '1' to stamp anyway
        local mark, had, told, fields = '', nil, false, redis.call('HGETALL', KEYS[3])
        for i = 1, #fields, 2 do
          if fields[i] == 'mark' then mark = fields[i + 1] elseif fields[i] == 'seq' then had = fields[i + 1] end
        end
        if mark > ARGV[3] or (mark == ARGV[3] and ARGV[8] ~= '1') then return {0, mark} end
        for i = 1, #fields, 2 do
          local writer = string.sub(fields[i], 1, 2) == 'w:' and string.sub(fields[i], 3)
          if writer and string.sub(fields[i + 1], 1, 19) < ARGV[3]
            and string.sub(redis.call('HGET', KEYS[2], writer) or '', 1, 1) == 'a' then
            redis.call('ZADD', KEYS[5], 0, writer .. '\n' .. ARGV[4])
            told = true
          end
        end
        local seq = after(had, ARGV[6])
        redis.call('HSET', KEYS[3], 'mark', ARGV[3], 'at', ARGV[7], 'seq', seq)
        redis.call('ZADD', KEYS[4], seq, ARGV[4])
        if told then redis.call('PUBLISH', ARGV[5], ARGV[3] .. ' ' .. ARGV[4]) end
        return {0, ARGV[3]}
        """);

    /// <summary>
    /// Answers 0, or 1 when a writer is registered, or the mark or the asking session's registration was changed since
    /// it was read.
    /// </summary>
    internal static readonly RedisScript SetScript = NodeScript.Guarded(
        NodeScript.After +
        """
        -- KEYS: 1 meta, 2 resource, 3 index, 4 revoked, 5 audit
        -- ARGV: 1 store, 2 generation, 3 session, 4 mark (19 digits), 5 sequence of the mark that was read, empty for
        -- none, 6 resource's name, 7 channel, 8 stamp, 9 time for people, 10 actor, 11 reason, 12 so many changes are
        -- remembered, 13 sequence of the session's own registration that was read, empty for none, 14 … sessions that
        -- no longer count
        local mark, read, own, gone, drop, fields = '', '', '', {[ARGV[3]] = true}, {}, redis.call('HGETALL', KEYS[2])
        for i = 14, #ARGV do gone[ARGV[i]] = true end
        for i = 1, #fields, 2 do
          if fields[i] == 'mark' then mark = fields[i + 1]
          elseif fields[i] == 'seq' then read = fields[i + 1]
          elseif string.sub(fields[i], 1, 2) == 'w:' then
            local writer = string.sub(fields[i], 3)
            if not gone[writer] then return {1} end
            if writer == ARGV[3] then own = string.sub(fields[i + 1], 21, 39) end
            drop[#drop + 1] = writer
          end
        end
        if read ~= ARGV[5] or own ~= ARGV[13] then return {1} end
        redis.call('LPUSH', KEYS[5], cjson.encode({
          at = ARGV[9], resource = ARGV[6], before = mark, mark = ARGV[4], actor = ARGV[10], reason = ARGV[11] }))
        redis.call('LTRIM', KEYS[5], 0, ARGV[12] - 1)
        if mark ~= ARGV[4] then
          local seq = after(read ~= '' and read, ARGV[8])
          redis.call('HSET', KEYS[2], 'mark', ARGV[4], 'at', ARGV[9], 'seq', seq)
          redis.call('ZADD', KEYS[3], seq, ARGV[6])
        end
        for _, writer in ipairs(drop) do
          redis.call('HDEL', KEYS[2], 'w:' .. writer)
          redis.call('ZREM', KEYS[4], writer .. '\n' .. ARGV[6])
        end
        redis.call('PUBLISH', ARGV[7], ARGV[4] .. ' ' .. ARGV[6])
        return {0}
        """);

    /// <summary>Takes registrations of several sessions at one resource, each unless a later step made it.</summary>
    internal static readonly RedisScript RemoveScript = NodeScript.Guarded(
        """
        -- KEYS: 1 meta, 2 resource, 3 revoked
        -- ARGV: 1 store, 2 generation, 3 resource's name, 4 channel, then for each session its name and a sequence (19
        -- digits)
        local told, mark = false, redis.call('HGET', KEYS[2], 'mark')
        for i = 5, #ARGV, 2 do
          local found = redis.call('HGET', KEYS[2], 'w:' .. ARGV[i])
          if found and string.sub(found, 21, 39) <= ARGV[i + 1] then
            redis.call('HDEL', KEYS[2], 'w:' .. ARGV[i])
            redis.call('ZREM', KEYS[3], ARGV[i] .. '\n' .. ARGV[3])
            told = told or string.sub(found, 1, 19) < mark
          end
        end
        if told then redis.call('PUBLISH', ARGV[4], mark .. ' ' .. ARGV[3]) end
        return {0}
        """);

    /// <summary>Takes a session's registrations at several resources, each unless a later step made it.</summary>
    internal static readonly RedisScript WithdrawScript = NodeScript.Guarded(
        """
        -- KEYS: 1 meta, 2 revoked, 3 … resources
        -- ARGV: 1 store, 2 generation, 3 session, 4 channel, then for each resource its name and a sequence (19 digits)
        for i = 3, #KEYS do
          local name, sequence = ARGV[2 * i - 1], ARGV[2 * i]
          local found = redis.call('HMGET', KEYS[i], 'mark', 'w:' .. ARGV[3])
          if found[2] and string.sub(found[2], 21, 39) <= sequence then
            redis.call('HDEL', KEYS[i], 'w:' .. ARGV[3])
            redis.call('ZREM', KEYS[2], ARGV[3] .. '\n' .. name)
            if string.sub(found[2], 1, 19) < found[1] then redis.call('PUBLISH', ARGV[4], found[1] .. ' ' .. name) end
          end
        end
        return {0}
        """);

    /// <summary>Answers 0, how many resources there are, and names with their sequences, newest first.</summary>
    internal static readonly RedisScript NamesScript = NodeScript.Guarded(
        """
        -- KEYS: 1 meta, 2 index
        -- ARGV: 1 store, 2 generation, 3 only below this sequence, 4 so many
        return {0, redis.call('ZCARD', KEYS[2]),
          redis.call('ZREVRANGEBYSCORE', KEYS[2], ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[4])}
        """);

    /// <summary>So many of the operators' changes are kept at a node.</summary>
    private const int AuditLength = 10_000;

    public static ValueTask<RedisResult> FindAsync(QuorumNode node, QuorumView view, ResourceKey resource) => node
        .RunAsync(
        FindScript, [view.Keys.Meta, view.Keys.Sessions, view.Keys.Resource(resource)], [view.Name, view.Generation]);

    public static ValueTask<RedisResult> RaiseAsync(
        QuorumNode node, QuorumView view, ResourceKey resource, long mark, ChangeStamp stamp,
        bool always) => node.RunAsync(
        RaiseScript,
        [view.Keys.Meta, view.Keys.Sessions, view.Keys.Resource(resource), view.Keys.Index, view.Keys.Revoked],
        [
            view.Name, view.Generation, RedisKeys.Digits(mark), resource.Value, view.Keys.ChannelIn(node.Database),
            stamp.Sequence, stamp.UnixMilliseconds,
            always ? "1" : "0",
        ]);

    public static ValueTask<RedisResult> SetAsync(
        QuorumNode node, QuorumView view, SetMarkRequest request, ReadResource read, ChangeStamp stamp,
        IEnumerable<string> gone) =>
        node.RunAsync(
            SetScript,
            [view.Keys.Meta, view.Keys.Resource(request.Resource), view.Keys.Index, view.Keys.Revoked, view.Keys.Audit],
            [
                view.Name, view.Generation, request.Session, RedisKeys.Digits(request.Mark), read.Sequence,
                request.Resource.Value,
                view.Keys.ChannelIn(node.Database), stamp.Sequence, stamp.UnixMilliseconds, request.Actor,
                request.Reason, AuditLength,
                read.Registration(request.Session) is { } own ? RedisKeys.Digits(own) : "",
                .. gone.Select(static session => (RedisValue)session),
            ]);

    public static ValueTask<RedisResult> RemoveAsync(
        QuorumNode node, QuorumView view, ResourceKey resource,
        IEnumerable<(string Session, long Sequence)> registrations) =>
        node.RunAsync(
            RemoveScript, [view.Keys.Meta, view.Keys.Resource(resource), view.Keys.Revoked],
            [
                view.Name, view.Generation, resource.Value, view.Keys.ChannelIn(node.Database),
                .. registrations.SelectMany(static r => (RedisValue[])[r.Session, RedisKeys.Digits(r.Sequence)]),
            ]);

    public static ValueTask<RedisResult> WithdrawAsync(
        QuorumNode node, QuorumView view, string session, IReadOnlyList<Registration> registrations) => node.RunAsync(
        WithdrawScript,
        [view.Keys.Meta, view.Keys.Revoked, .. registrations.Select(r => view.Keys.Resource(r.Resource))],
        [
            view.Name, view.Generation, session, view.Keys.ChannelIn(node.Database),
            .. registrations.SelectMany(static r => (RedisValue[])[r.Resource.Value, RedisKeys.Digits(r.Sequence)]),
        ]);

    public static ValueTask<RedisResult> NamesAsync(
        QuorumNode node, QuorumView view, RedisValue below, int limit) => node.RunAsync(
        NamesScript, [view.Keys.Meta, view.Keys.Index], [view.Name, view.Generation, below, limit]);
}
