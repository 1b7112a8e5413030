using FenceGateway.Fencing;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>What is stored for a resource, and what operators may change about it.</summary>
internal static class MarkScripts
{
    /// <summary>Answers nothing for a resource without a mark, else mark, when it changed, its sequence, now, and for each writer:
    /// session, registration, when the session ends or ended.</summary>
    private static readonly RedisScript FindScript = new(
        """
        -- KEYS: 1 sessions, 2 resource
        local clock, fields = redis.call('TIME'), redis.call('HGETALL', KEYS[2])
        if #fields == 0 then return false end
        local found = {'', '', '', clock[1] * 1000 + math.floor(clock[2] / 1000)}
        for i = 1, #fields, 2 do
          if fields[i] == 'mark' then found[1] = fields[i + 1]
          elseif fields[i] == 'at' then found[2] = fields[i + 1]
          elseif fields[i] == 'seq' then found[3] = fields[i + 1]
          else
            local session = string.sub(fields[i], 3)
            local ends = redis.call('ZSCORE', KEYS[1], session)
            if ends then
              found[#found + 1] = session
              found[#found + 1] = fields[i + 1]
              found[#found + 1] = ends
            end
          end
        end
        return found
        """);

    /// <summary>Answers 1, or 0 when a writer holds newer tokens back or the mark is not the one that was read any more.</summary>
    private static readonly RedisScript SetScript = new(
        """
        -- KEYS: 1 sessions, 2 resource, 3 index, 4 sequence, 5 revoked, 6 audit
        -- ARGV: 1 session, 2 mark (19 digits), 3 sequence of the mark that was read, empty for none, 4 hold of ended sessions in ms,
        --       5 resource's name, 6 channel, 7 actor, 8 reason, 9 so many changes are remembered
        local clock = redis.call('TIME')
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        local mark, read, gone, fields = '0000000000000000000', '', {}, redis.call('HGETALL', KEYS[2])
        for i = 1, #fields, 2 do
          if fields[i] == 'mark' then mark = fields[i + 1]
          elseif fields[i] == 'seq' then read = fields[i + 1]
          elseif string.sub(fields[i], 1, 2) == 'w:' then
            local writer = string.sub(fields[i], 3)
            if writer ~= ARGV[1] then
              local ends = tonumber(redis.call('ZSCORE', KEYS[1], writer) or '0')
              if ends > now or ends + tonumber(ARGV[4]) > now then return 0 end
            end
            gone[#gone + 1] = writer
          end
        end
        if read ~= ARGV[3] then return 0 end

        redis.call('LPUSH', KEYS[6], cjson.encode({
          at = string.format('%.0f', now), resource = ARGV[5], before = mark, mark = ARGV[2], actor = ARGV[7], reason = ARGV[8] }))
        redis.call('LTRIM', KEYS[6], 0, ARGV[9] - 1)
        if mark ~= ARGV[2] or read == '' then
          local change = redis.call('INCR', KEYS[4])
          redis.call('HSET', KEYS[2], 'mark', ARGV[2], 'at', now, 'seq', change)
          redis.call('ZADD', KEYS[3], change, ARGV[5])
        end
        for _, writer in ipairs(gone) do
          redis.call('HDEL', KEYS[2], 'w:' .. writer)
          redis.call('ZREM', KEYS[5], writer .. '\n' .. ARGV[5])
        end
        redis.call('PUBLISH', ARGV[6], ARGV[2] .. ' ' .. ARGV[5])
        return 1
        """);

    /// <summary>Answers how many registrations of ended sessions there were.</summary>
    private static readonly RedisScript ResolveScript = new(
        """
        -- KEYS: 1 sessions, 2 resource, 3 revoked
        -- ARGV: 1 resource's name, 2 channel
        local clock = redis.call('TIME')
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        local mark, resolved, fields = '0', 0, redis.call('HGETALL', KEYS[2])
        for i = 1, #fields, 2 do
          if fields[i] == 'mark' then mark = fields[i + 1]
          elseif string.sub(fields[i], 1, 2) == 'w:' then
            local writer = string.sub(fields[i], 3)
            local ends = redis.call('ZSCORE', KEYS[1], writer)
            if not ends or tonumber(ends) <= now then
              if ends then resolved = resolved + 1 end
              redis.call('HDEL', KEYS[2], fields[i])
              redis.call('ZREM', KEYS[3], writer .. '\n' .. ARGV[1])
            end
          end
        end
        if resolved > 0 then redis.call('PUBLISH', ARGV[2], mark .. ' ' .. ARGV[1]) end
        return resolved
        """);

    /// <summary>So many of the operators' changes are kept in the store.</summary>
    private const int AuditLength = 10_000;

    public static async ValueTask<MarkRecord?> FindAsync(
        RedisLink link, RedisKeys keys, ResourceKey resource, CancellationToken cancellationToken)
    {
        var reply = await link.RunAsync(FindScript, [keys.Sessions, keys.Resource(resource)], [], cancellationToken);
        return reply.IsNull ? null : Read(resource, (RedisResult[])reply!);
    }

    public static async ValueTask<bool> SetAsync(
        RedisLink link, RedisKeys keys, SetMarkRequest request, CancellationToken cancellationToken)
    {
        // Two round trips: a change that is carried out late must not undo a newer one.
        var key = keys.Resource(request.Resource);
        var read = await link.AskAsync(() => link.Database.HashGetAsync(key, "seq"), cancellationToken);
        var reply = await link.RunAsync(
            SetScript,
            [keys.Sessions, key, keys.Index, keys.Sequence, keys.Revoked, keys.Audit],
            [
                request.Session, RedisKeys.Digits(request.Mark), read.IsNull ? "" : read,
                (long)Math.Ceiling(request.InDoubtHold.TotalMilliseconds), request.Resource.Value, keys.Channel,
                request.Actor, request.Reason, AuditLength,
            ],
            cancellationToken);
        return (int)reply == 1;
    }

    public static async ValueTask<int> ResolveAsync(
        RedisLink link, RedisKeys keys, ResourceKey resource, CancellationToken cancellationToken) =>
        (int)await link.RunAsync(
            ResolveScript, [keys.Sessions, keys.Resource(resource), keys.Revoked], [resource.Value, keys.Channel], cancellationToken);

    private static MarkRecord Read(ResourceKey resource, RedisResult[] reply)
    {
        var now = (long)reply[3];
        var writers = new WriterRecord[(reply.Length - 4) / 3];
        for (var i = 0; i < writers.Length; i++)
        {
            var ends = (long)reply[i * 3 + 6];
            writers[i] = new WriterRecord(
                (string)reply[i * 3 + 4]!, new FencingToken(RedisKeys.Number(((string)reply[i * 3 + 5]!).AsSpan(0, 19))),
                ends > now ? null : TimeSpan.FromMilliseconds(now - ends));
        }

        return new MarkRecord(
            resource, RedisKeys.Number((string)reply[0]!), DateTimeOffset.FromUnixTimeMilliseconds((long)reply[1]),
            (long)reply[2], writers);
    }
}
