using System.Collections.Concurrent;
using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Etcd;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>One etcd for the tests of a class; each test takes a prefix of its own.</summary>
public sealed class EtcdFixture : IAsyncLifetime
{
    private static int _prefixes;
    private EtcdServer? _server;

    public EtcdServer Server => _server ?? throw new InvalidOperationException("Not started.");

    public static string NewPrefix() => $"t{Interlocked.Increment(ref _prefixes)}";

    public async ValueTask InitializeAsync() => _server = await EtcdServer.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }
}

/// <summary>The same with three members.</summary>
public sealed class EtcdClusterFixture : IAsyncLifetime
{
    private EtcdCluster? _cluster;

    public IReadOnlyList<string> Addresses =>
        _cluster?.Addresses ?? throw new InvalidOperationException("Not started.");

    public async ValueTask InitializeAsync() => _cluster = await EtcdCluster.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }
}

/// <summary>One gateway's side of etcd: a store, a session, and the changes it heard of.</summary>
internal sealed class EtcdGateway : IAsyncDisposable
{
    private long _sequence;

    private EtcdGateway(EtcdTokenStore store, string session)
    {
        Store = store;
        Session = session;
    }

    public EtcdTokenStore Store { get; }

    public string Session { get; }

    public TestLogger<EtcdTokenStore> Logger { get; private init; } = new();

    public TimeSpan TimeToLive { get; private set; }

    public BlockingCollection<ResourceChange> Changes { get; } = [];

    public static Task<EtcdGateway> StartAsync(
        string prefix, TimeSpan? timeToLive = null, params IReadOnlyList<string> endpoints) =>
        StartAsync(new EtcdTokenStoreOptions { Endpoints = endpoints, KeyPrefix = prefix }, timeToLive);

    public static async Task<EtcdGateway> StartAsync(EtcdTokenStoreOptions options, TimeSpan? timeToLive = null)
    {
        var logger = new TestLogger<EtcdTokenStore>();
        var gateway =
            new EtcdGateway(new EtcdTokenStore(options, TimeProvider.System, logger), $"gw-{Guid.NewGuid():N}")
            { Logger = logger };
        gateway.Store.Changed += change => gateway.Changes.Add(change);
        await gateway.Store.OpenAsync(default);
        gateway.TimeToLive = await gateway.Store.StartSessionAsync(
            gateway.Session, timeToLive ?? TimeSpan.FromSeconds(30), default);
        return gateway;
    }

    public async Task<EnterReply> EnterAsync(
        string resource, long token, long? oldest = null, TimeSpan? hold = null,
        CancellationToken cancellationToken = default) =>
        await Store.EnterAsync(
            new EnterRequest(
                Session,
                Key(resource),
                new FencingToken(token),
                new FencingToken(oldest ?? token),
                ++_sequence,
                hold ?? TimeSpan.FromSeconds(10)),
            cancellationToken);

    public async Task WithdrawAsync(params IEnumerable<string> resources) =>
        await Store.WithdrawAsync(Session, [.. resources.Select(r => new Registration(Key(r), _sequence))], default);

    public async Task<Heartbeat> BeatAsync() => await Store.HeartbeatAsync(Session, default);

    /// <summary>Waits for a hint about the resource.</summary>
    public async Task<ResourceChange> HearAsync(string resource) => await Task.Run(() =>
    {
        while (Changes.TryTake(out var change, TimeLimit.Default))
        {
            if (change.Resource.Value == resource)
            {
                return change;
            }
        }

        throw new TimeoutException($"Nothing was told about {resource}.");
    });

    /// <summary>Retries until the store can tell again, as a gateway does.</summary>
    public static async Task<T> EventuallyAsync<T>(Func<CancellationToken, Task<T>> call)
    {
        using var end = new CancellationTokenSource(TimeLimit.Default, TimeProvider.System);
        while (true)
        {
            using var one = new CancellationTokenSource(TimeSpan.FromSeconds(2), TimeProvider.System);
            try
            {
                return await call(one.Token);
            }
            catch (TokenStoreUnavailableException) when (!end.IsCancellationRequested)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
            }
        }
    }

    public static ResourceKey Key(string text) =>
        ResourceKey.TryCreate(text, out var key) ? key : throw new ArgumentException("Not a key.", nameof(text));

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        Changes.Dispose();
    }
}
