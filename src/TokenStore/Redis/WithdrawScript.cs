using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>Takes a batch of registrations back.</summary>
internal static class WithdrawScript
{
    private static readonly RedisScript Script = new(
        """
        -- KEYS: 1 revoked, 2 … resources
        -- ARGV: 1 session, 2 channel, then for each resource its name and the sequence (19 digits) of the latest step
        -- given up
        for i = 2, #KEYS do
          local name, sequence = ARGV[2 * i - 1], ARGV[2 * i]
          local found = redis.call('HMGET', KEYS[i], 'mark', 'w:' .. ARGV[1])
          -- A later step of the session has made it anew: that one stays.
          if found[2] and string.sub(found[2], 21) <= sequence then
            redis.call('HDEL', KEYS[i], 'w:' .. ARGV[1])
            local mark = string.sub(found[1], 1, 19)
            if string.sub(found[2], 1, 19) < mark then
              redis.call('ZREM', KEYS[1], ARGV[1] .. '\n' .. name)
              redis.call('PUBLISH', ARGV[2], mark .. ' ' .. name)
            end
          end
        end
        """);

    public static async ValueTask RunAsync(
        RedisLink link, RedisKeys keys, string session, IReadOnlyList<Registration> registrations,
        CancellationToken cancellationToken)
    {
        var names = new RedisKey[registrations.Count + 1];
        var arguments = new RedisValue[registrations.Count * 2 + 2];
        (names[0], arguments[0], arguments[1]) = (keys.Revoked, session, keys.ChannelIn(link.Database.Database));
        for (var i = 0; i < registrations.Count; i++)
        {
            names[i + 1] = keys.Resource(registrations[i].Resource);
            arguments[2 * i + 2] = registrations[i].Resource.Value;
            arguments[2 * i + 3] = RedisKeys.Digits(registrations[i].Sequence);
        }

        await link.RunAsync(Script, names, arguments, cancellationToken);
    }
}
