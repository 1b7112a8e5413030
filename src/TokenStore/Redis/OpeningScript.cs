using System.Security.Cryptography;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>The first step of all: takes no write, and tells whether the store is the one that it was.</summary>
internal static class OpeningScript
{
    private static readonly RedisScript Script = new(
        """
        -- KEYS: 1 epoch, 2 sequence
        -- ARGV: 1 name of a new epoch, 2 channel
        -- A message that says nothing: the right to send is missed now and not in the middle of a step.
        redis.call('PUBLISH', ARGV[2], '')
        local created = redis.call('SET', KEYS[1], ARGV[1], 'NX')
        local clock = redis.call('TIME')
        return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]) or '0', created and 1 or 0,
          clock[1] * 1000 + math.floor(clock[2] / 1000)}
        """);

    /// <summary>
    /// The name of the store's data, how often marks were changed, whether there was no data, and the server's clock.
    /// </summary>
    public static async ValueTask<(string Epoch, long Changes, bool Created, DateTimeOffset ServerTime)> RunAsync(
        RedisLink link, RedisKeys keys, CancellationToken cancellationToken)
    {
        var reply = (RedisResult[])(await link.RunAsync(
            Script, [keys.Epoch, keys.Sequence],
            [RandomNumberGenerator.GetHexString(16, lowercase: true), keys.ChannelIn(link.Database.Database)],
            cancellationToken))!;
        return (
            (string)reply[0]!, (long)reply[1], (int)reply[2] == 1,
            DateTimeOffset.FromUnixTimeMilliseconds((long)reply[3]));
    }
}
