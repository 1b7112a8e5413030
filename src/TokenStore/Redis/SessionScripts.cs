using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// The life of a session. Redis' own expiry of keys is not used: when a session ended has to be known afterwards.
/// </summary>
internal static class SessionScripts
{
    /// <summary>Answers 1, or 0 when the name was used before.</summary>
    private static readonly RedisScript StartScript = new(
        """
        -- KEYS: 1 sessions, 2 started, 3 revoked
        -- ARGV: 1 session, 2 time to live in ms, 3 for how many ms an ended session is remembered
        local clock = redis.call('TIME')
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        local life = string.format('%013.0f', now + tonumber(ARGV[2])) .. ':' .. ARGV[2]
        if redis.call('HSETNX', KEYS[1], ARGV[1], life) == 0 then return 0 end
        redis.call('ZADD', KEYS[2], now, ARGV[1])

        -- No hold is that long: what these sessions have left behind counts no more.
        local forgotten = now - tonumber(ARGV[3])
        for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', forgotten, 'LIMIT', 0, 1000)) do
          local ended = redis.call('HGET', KEYS[1], old)
          if not ended or tonumber(string.sub(ended, 1, 13)) <= forgotten then
            redis.call('HDEL', KEYS[1], old)
            redis.call('ZREM', KEYS[2], old)
            redis.call('ZREMRANGEBYLEX', KEYS[3], '[' .. old .. '\n', '(' .. old .. '\11')
          end
        end
        return 1
        """);

    /// <summary>
    /// Answers 1 or, for a session that has ended, 0; the server's clock, how often marks were changed, and the
    /// resources revoked.
    /// </summary>
    /// <remarks>A script that has written is not refused for want of memory (OOM) any more: so that what keeps sessions
    /// and ends them works then too, it begins by taking away what is not there.</remarks>
    private static readonly RedisScript HeartbeatScript = new(
        """
        -- KEYS: 1 sessions, 2 revoked, 3 sequence
        -- ARGV: 1 session, 2 so many resources at most
        local clock = redis.call('TIME')
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        local life, changes = redis.call('HGET', KEYS[1], ARGV[1]), redis.call('GET', KEYS[3]) or '0'
        if not life or tonumber(string.sub(life, 1, 13)) <= now then return {0, now, changes, {}} end
        local lives = string.sub(life, 15)
        redis.call('HDEL', KEYS[1], '')
        redis.call('HSET', KEYS[1], ARGV[1], string.format('%013.0f', now + tonumber(lives)) .. ':' .. lives)
        local revoked = redis.call(
          'ZRANGEBYLEX', KEYS[2], '[' .. ARGV[1] .. '\n', '(' .. ARGV[1] .. '\11', 'LIMIT', 0, ARGV[2])
        return {1, now, changes, revoked}
        """);

    private static readonly RedisScript EndScript = new(
        """
        -- KEYS: 1 sessions, 2 started, 3 revoked
        -- ARGV: 1 session, 2 '1' if nothing of it is on its way, 3 channel
        local clock = redis.call('TIME')
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        local life = redis.call('HGET', KEYS[1], ARGV[1])
        if not life then return end
        local from, to = '[' .. ARGV[1] .. '\n', '(' .. ARGV[1] .. '\11'
        if ARGV[2] == '1' then
          -- A session that is not known holds nobody back: the next step at each resource sweeps what is left of it
          -- there.
          redis.call('HDEL', KEYS[1], ARGV[1])
          redis.call('ZREM', KEYS[2], ARGV[1])
          for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[3], from, to)) do
            redis.call('PUBLISH', ARGV[3], '0 ' .. string.sub(member, #ARGV[1] + 2))
          end
        elseif tonumber(string.sub(life, 1, 13)) > now then
          redis.call('HDEL', KEYS[1], '')
          redis.call('HSET', KEYS[1], ARGV[1], string.format('%013.0f', now) .. string.sub(life, 14))
        end
        redis.call('ZREMRANGEBYLEX', KEYS[3], from, to)
        """);

    private static readonly RedisValue Remembered = (long)EnterRequest.EndedIsKept.TotalMilliseconds;

    public static async ValueTask StartAsync(
        RedisLink link, RedisKeys keys, string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var reply = await link.RunAsync(
            StartScript, [keys.Sessions, keys.Started, keys.Revoked],
            [session, (long)timeToLive.TotalMilliseconds, Remembered], cancellationToken);
        if ((int)reply == 0)
        {
            throw TokenStoreUnavailableException.NothingTaken($"The session {session} was started before.");
        }
    }

    /// <summary>
    /// The heartbeat, how often the marks of the store were changed, and the server's clock: also when that has ended
    /// the session.
    /// </summary>
    public static async ValueTask<(Heartbeat Heartbeat, long Changes, DateTimeOffset ServerTime)> HeartbeatAsync(
        RedisLink link, RedisKeys keys, string session, CancellationToken cancellationToken)
    {
        var reply = await link.RunAsync(
            HeartbeatScript, [keys.Sessions, keys.Revoked, keys.Sequence], [session, Heartbeat.MaxRevoked],
            cancellationToken);
        var parts = (RedisResult[])reply!;
        var members = (string[])parts[3]!;
        var revoked = members.Length == 0 ? [] : await MarksAsync(link, keys, session, members, cancellationToken);
        return (
            (int)parts[0] == 1 ? new Heartbeat(true, revoked) : Heartbeat.Ended, (long)parts[2],
            DateTimeOffset.FromUnixTimeMilliseconds((long)parts[1]));
    }

    public static async ValueTask EndAsync(
        RedisLink link, RedisKeys keys, string session, bool isClean, CancellationToken cancellationToken) =>
        await link.RunAsync(
            EndScript, [keys.Sessions, keys.Started, keys.Revoked],
            [session, isClean ? "1" : "0", keys.ChannelIn(link.Database.Database)], cancellationToken);

    /// <summary>The marks that revoke: asked for apart, since a script may only use keys that it was given.</summary>
    private static async ValueTask<ResourceChange[]> MarksAsync(
        RedisLink link, RedisKeys keys, string session, string[] members, CancellationToken cancellationToken)
    {
        List<ResourceKey> resources = [];
        foreach (var member in members)
        {
            if (ResourceKey.TryCreate(member[(session.Length + 1)..], out var resource))
            {
                resources.Add(resource);
            }
        }

        var marks = await link.AskAsync(
            () => Task.WhenAll(
                resources.Select(
                    resource => link.Database.HashGetAsync(keys.Resource(resource), "mark", RedisLink.Master))),
            cancellationToken);
        return
        [
            .. resources.Zip(marks, static (resource, mark) => new ResourceChange(
                resource, mark.IsNull ? 0 : RedisKeys.Number(((string)mark!).AsSpan(0, 19)))),
        ];
    }
}
