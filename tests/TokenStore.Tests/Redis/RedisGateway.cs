using FenceGateway.Fencing;
using FenceGateway.TokenStore.Redis;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>A gateway as the store sees it: a session, and steps that are numbered.</summary>
internal sealed class RedisGateway(RedisTokenStore store, string session)
{
    private long _sequence;

    public RedisTokenStore Store => store;

    public string Session => session;

    public static async Task<RedisGateway> StartAsync(RedisTokenStore store, TimeSpan? timeToLive = null)
    {
        await store.OpenAsync(default);
        return await StartOpenAsync(store, timeToLive);
    }

    /// <summary>In a store that is open already.</summary>
    public static async Task<RedisGateway> StartOpenAsync(RedisTokenStore store, TimeSpan? timeToLive = null)
    {
        var gateway = new RedisGateway(store, $"g{Random.Shared.NextInt64():x}");
        await store.StartSessionAsync(gateway.Session, timeToLive ?? TimeSpan.FromSeconds(60), default);
        return gateway;
    }

    public static ResourceKey Key(string text) =>
        ResourceKey.TryCreate(text, out var key) ? key : throw new ArgumentException("Not a key", nameof(text));

    public ValueTask<EnterReply> EnterAsync(
        string resource, long token, long? oldest = null, long? sequence = null, TimeSpan? hold = null,
        CancellationToken cancel = default) =>
        store.EnterAsync(
            new EnterRequest(
                session, Key(resource), new FencingToken(token), new FencingToken(oldest ?? token),
                sequence ?? ++_sequence,
                hold ?? TimeSpan.FromSeconds(10)),
            cancel);

    public ValueTask WithdrawAsync(string resource, long? sequence = null) =>
        store.WithdrawAsync(session, [new Registration(Key(resource), sequence ?? ++_sequence)], default);

    public ValueTask<Heartbeat> BeatAsync() => store.HeartbeatAsync(session, default);
}
