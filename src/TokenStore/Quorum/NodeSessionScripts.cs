using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>The life of a session at one node. No clock decides anything: a heartbeat is a number that grows.</summary>
internal static class NodeSessionScripts
{
    /// <summary>Answers 0; 1 when the name was used before.</summary>
    internal static readonly RedisScript StartScript = NodeScript.Guarded(
        """
        -- KEYS: 1 meta, 2 sessions, 3 ended
        -- ARGV: 1 store, 2 generation, 3 session, 4 time to live in ms, 5 for how many ms an ended session is
        -- remembered, 6 number of its latest heartbeat
        if redis.call('HSETNX', KEYS[2], ARGV[3], 'a:' .. ARGV[4] .. ':' .. ARGV[6]) == 0 then return {1} end

        -- What is forgotten too early holds newer tokens back for longer: an unknown session is watched like a living
        -- one.
        local before = redis.call('TIME')[1] * 1000 - ARGV[5]
        local forgotten = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', before), 'LIMIT', 0, 1000)
        for _, old in ipairs(forgotten) do
          redis.call('ZREM', KEYS[3], old)
          redis.call('HDEL', KEYS[2], old)
        end
        return {0}
        """);

    /// <summary>Answers 0, resource and mark of each revocation, and session and record of each session.</summary>
    internal static readonly RedisScript HeartbeatScript = NodeScript.Guarded(
        """
        -- KEYS: 1 meta, 2 sessions, 3 revoked
        -- ARGV: 1 store, 2 generation, 3 session, 4 so many resources at most, 5 what the key of a resource begins
        -- with, 6 number of the heartbeat: made by the session's owner, so that a node which forgot never counts up to
        -- one it had before
        local record = redis.call('HGET', KEYS[2], ARGV[3])
        if not record then return {-1, 0} end
        local life, ttl, beats = string.match(record, '^(%a):(%d+):(%d+)$')
        if life ~= 'a' then return {-1, 1} end
        if tonumber(ARGV[6]) > tonumber(beats) then
          redis.call('HDEL', KEYS[2], '')
          redis.call('HSET', KEYS[2], ARGV[3], 'a:' .. ttl .. ':' .. ARGV[6])
        end
        local revoked, from = {}, ARGV[3] .. '\n'
        local members = redis.call('ZRANGEBYLEX', KEYS[3], '[' .. from, '(' .. ARGV[3] .. '\11', 'LIMIT', 0, ARGV[4])
        for _, member in ipairs(members) do
          local resource = string.sub(member, #from + 1)
          revoked[#revoked + 1] = resource
          revoked[#revoked + 1] = redis.call('HGET', ARGV[5] .. resource, 'mark') or '0'
        end
        return {0, revoked, redis.call('HGETALL', KEYS[2])}
        """);

    /// <summary>Answers 0, or 1 and the session's record when it is not as it was expected to be.</summary>
    internal static readonly RedisScript EndScript = NodeScript.Guarded(
        """
        -- KEYS: 1 meta, 2 sessions, 3 ended, 4 revoked
        -- ARGV: 1 store, 2 generation, 3 session, 4 'q' if nothing of it is on its way, else 'e', 5 '*' or what it has
        -- to be: life and beats, 6 channel, 7 what the key of a resource begins with
        local record = redis.call('HGET', KEYS[2], ARGV[3]) or ''
        local life, ttl, beats = string.match(record, '^(%a):(%d+):(%d+)$')
        if ARGV[5] ~= '*' and (life or '') .. (beats or '') ~= ARGV[5] then return {1, record} end
        local from, to = '[' .. ARGV[3] .. '\n', '(' .. ARGV[3] .. '\11'
        if life ~= 'q' then
          -- One that was never seen here gets some time to live, for every record has one: nobody waits for its end any
          -- more.
          redis.call('HDEL', KEYS[2], '')
          redis.call('HSET', KEYS[2], ARGV[3], ARGV[4] .. ':' .. (ttl or '1') .. ':' .. (beats or '0'))
          redis.call('ZADD', KEYS[3], redis.call('TIME')[1] * 1000, ARGV[3])
          if ARGV[4] == 'q' then
            for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[4], from, to)) do
              local resource = string.sub(member, #ARGV[3] + 2)
              local mark = redis.call('HGET', ARGV[7] .. resource, 'mark') or '0'
              redis.call('PUBLISH', ARGV[6], mark .. ' ' .. resource)
            end
          end
        end
        redis.call('ZREMRANGEBYLEX', KEYS[4], from, to)
        return {0}
        """);

    private static readonly RedisValue Remembered = (long)EnterRequest.EndedIsKept.TotalMilliseconds;

    public static ValueTask<RedisResult> StartAsync(
        QuorumNode node, QuorumView view, string session, TimeSpan timeToLive, long beat) =>
        node.RunAsync(
            StartScript, [view.Keys.Meta, view.Keys.Sessions, view.Keys.Ended],
            [view.Name, view.Generation, session, (long)timeToLive.TotalMilliseconds, Remembered, beat]);

    public static ValueTask<RedisResult> BeatAsync(QuorumNode node, QuorumView view, string session, long beat) => node
        .RunAsync(
        HeartbeatScript, [view.Keys.Meta, view.Keys.Sessions, view.Keys.Revoked],
        [view.Name, view.Generation, session, Heartbeat.MaxRevoked, view.Keys.ResourcePrefix, beat],
        probe: true);

    /// <summary>
    /// Ends a session: unless <paramref name="expected"/> is null only where it is still as it was seen.
    /// </summary>
    public static ValueTask<RedisResult> EndAsync(
        QuorumNode node, QuorumView view, string session, bool isClean, SessionSight? expected)
    {
        RedisValue must = expected switch
        {
            null => "*",
            { Life: SessionLife.Unknown } => "",
            { Life: SessionLife.Alive } sight => $"a{sight.Beats}",
            { Life: SessionLife.Ended } sight => $"e{sight.Beats}",
            { } sight => $"q{sight.Beats}",
        };
        return node.RunAsync(
            EndScript, [view.Keys.Meta, view.Keys.Sessions, view.Keys.Ended, view.Keys.Revoked],
            [
                view.Name, view.Generation, session, isClean ? "q" : "e", must, view.Keys.ChannelIn(node.Database),
                view.Keys.ResourcePrefix,
            ]);
    }
}
