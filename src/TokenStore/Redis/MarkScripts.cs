using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>What is stored for a resource, and what operators may change about it.</summary>
internal static class MarkScripts
{
    /// <summary>
    /// Answers nothing for a resource without a mark, else the mark's field, now, and for each writer: session,
    /// registration, when the session ends or ended.
    /// </summary>
    private static readonly RedisScript FindScript = new(
        """
        -- KEYS: 1 sessions, 2 resource
        local clock, fields = redis.call('TIME'), redis.call('HGETALL', KEYS[2])
        if #fields == 0 then return false end
        local found = {'', clock[1] * 1000 + math.floor(clock[2] / 1000)}
        for i = 1, #fields, 2 do
          if fields[i] == 'mark' then
            found[1] = fields[i + 1]
          else
            local session = string.sub(fields[i], 3)
            local life = redis.call('HGET', KEYS[1], session)
            if life then
              found[#found + 1] = session
              found[#found + 1] = fields[i + 1]
              found[#found + 1] = string.sub(life, 1, 13)
            end
          end
        end
        return found
        """);

    /// <summary>
    /// Answers 1, or 0 when a writer holds newer tokens back, or when the mark or the session's own registration is not
    /// what was read any more: a change that is carried out late must neither undo a newer mark nor take a newer
    /// registration.
    /// </summary>
    private static readonly RedisScript SetScript = new(
        """
        -- KEYS: 1 sessions, 2 resource, 3 index, 4 sequence, 5 revoked, 6 audit
        -- ARGV: 1 session, 2 mark (19 digits), 3 the mark's field as it was read, 4 the session's own, each empty for
        -- none, 5 hold of ended sessions in ms, 6 resource's name, 7 channel, 8 actor, 9 reason, 10 so many changes are
        -- remembered
        local clock = redis.call('TIME')
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        local mark, own, gone, fields = '', '', {}, redis.call('HGETALL', KEYS[2])
        for i = 1, #fields, 2 do
          if fields[i] == 'mark' then
            mark = fields[i + 1]
          else
            local writer = string.sub(fields[i], 3)
            if writer == ARGV[1] then
              own = fields[i + 1]
            else
              local ends = tonumber(string.sub(redis.call('HGET', KEYS[1], writer) or '0', 1, 13))
              if ends > now or ends + tonumber(ARGV[5]) > now then return 0 end
            end
            gone[#gone + 1] = writer
          end
        end
        if mark ~= ARGV[3] or own ~= ARGV[4] then return 0 end

        redis.call('LPUSH', KEYS[6], cjson.encode({
          at = clock[1], resource = ARGV[6], before = string.sub(mark, 1, 19), mark = ARGV[2],
          actor = ARGV[8], reason = ARGV[9] }))
        redis.call('LTRIM', KEYS[6], 0, ARGV[10] - 1)
        if string.sub(mark, 1, 19) ~= ARGV[2] then
          local change = redis.call('INCR', KEYS[4])
          redis.call('HSET', KEYS[2], 'mark', ARGV[2] .. ':' .. change .. ':' .. clock[1] .. ':' .. clock[2])
          redis.call('ZADD', KEYS[3], change, ARGV[6])
        end
        for _, writer in ipairs(gone) do
          redis.call('HDEL', KEYS[2], 'w:' .. writer)
          redis.call('ZREM', KEYS[5], writer .. '\n' .. ARGV[6])
        end
        redis.call('PUBLISH', ARGV[7], ARGV[2] .. ' ' .. ARGV[6])
        return 1
        """);

    /// <summary>
    /// Removes registrations of sessions that had ended when the operator spoke; answers how many there still were.
    /// </summary>
    private static readonly RedisScript ResolveScript = new(
        """
        -- KEYS: 1 resource, 2 revoked
        -- ARGV: 1 resource's name, 2 channel, then session and registration of each, as they were read
        local resolved = 0
        for i = 3, #ARGV, 2 do
          if redis.call('HGET', KEYS[1], 'w:' .. ARGV[i]) == ARGV[i + 1] then
            resolved = resolved + 1
            redis.call('HDEL', KEYS[1], 'w:' .. ARGV[i])
            redis.call('ZREM', KEYS[2], ARGV[i] .. '\n' .. ARGV[1])
          end
        end
        if resolved > 0 then
          local mark = string.sub(redis.call('HGET', KEYS[1], 'mark') or '0', 1, 19)
          redis.call('PUBLISH', ARGV[2], mark .. ' ' .. ARGV[1])
        end
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
        var key = keys.Resource(request.Resource);
        var read = await link.AskAsync(
            () => link.Database.HashGetAsync(key, ["mark", "w:" + request.Session], RedisLink.Master),
            cancellationToken);
        var reply = await link.RunAsync(
            SetScript,
            [keys.Sessions, key, keys.Index, keys.Sequence, keys.Revoked, keys.Audit],
            [
                request.Session, RedisKeys.Digits(request.Mark), Text(read[0]), Text(read[1]),
                (long)Math.Ceiling(request.InDoubtHold.TotalMilliseconds), request.Resource.Value,
                keys.ChannelIn(link.Database.Database),
                request.Actor, request.Reason, AuditLength,
            ],
            cancellationToken);
        return (int)reply == 1;
    }

    public static async ValueTask<int> ResolveAsync(
        RedisLink link, RedisKeys keys, ResourceKey resource, CancellationToken cancellationToken)
    {
        var found = await link.RunAsync(FindScript, [keys.Sessions, keys.Resource(resource)], [], cancellationToken);
        if (found.IsNull)
        {
            return 0;
        }

        var parts = (RedisResult[])found!;
        List<RedisValue> arguments = [resource.Value, keys.ChannelIn(link.Database.Database)];
        foreach (var (session, registration, ends) in Writers(parts))
        {
            if (ends <= Now(parts))
            {
                arguments.Add(session);
                arguments.Add(registration);
            }
        }

        return arguments.Count == 2
            ? 0
            : (int)await link.RunAsync(
                ResolveScript, [keys.Resource(resource), keys.Revoked], [.. arguments], cancellationToken);
    }

    private static MarkRecord Read(ResourceKey resource, RedisResult[] parts)
    {
        var mark = ((string)parts[0]!).Split(':');
        var at = DateTimeOffset.FromUnixTimeSeconds(RedisKeys.Number(mark[2])).AddMicroseconds(
            RedisKeys.Number(mark[3]));
        WriterRecord[] writers =
        [
            .. Writers(parts).Select(writer => new WriterRecord(
                writer.Session, new FencingToken(RedisKeys.Number(writer.Registration.AsSpan(0, 19))),
                writer.Ends > Now(parts) ? null : TimeSpan.FromMilliseconds(Now(parts) - writer.Ends))),
        ];
        return new MarkRecord(resource, RedisKeys.Number(mark[0]), at, RedisKeys.Number(mark[1]), writers);
    }

    private static long Now(RedisResult[] parts) => (long)parts[1];

    private static IEnumerable<(string Session, string Registration, long Ends)> Writers(RedisResult[] parts)
    {
        for (var i = 2; i < parts.Length; i += 3)
        {
            yield return ((string)parts[i]!, (string)parts[i + 1]!, (long)parts[i + 2]);
        }
    }

    private static RedisValue Text(RedisValue value) => value.IsNull ? "" : value;
}
