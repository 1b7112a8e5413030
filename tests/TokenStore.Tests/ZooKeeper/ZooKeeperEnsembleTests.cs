using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

/// <summary>Three servers, and gateways that are connected to different ones.</summary>
[Collection(OneAtATime.Ensembles)]
public sealed class ZooKeeperEnsembleTests : IAsyncLifetime
{
    private readonly string _root = ZooKeeperFixture.NewRoot();
    private readonly List<ZooKeeperTokenStore> _stores = [];
    private ZooKeeperEnsemble? _ensemble;

    private ZooKeeperEnsemble Ensemble => _ensemble ?? throw new InvalidOperationException("Not started.");

    public async ValueTask InitializeAsync() => _ensemble = await ZooKeeperEnsemble.StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        if (_ensemble is not null)
        {
            await _ensemble.DisposeAsync();
        }
    }

    [Fact]
    public async Task OpenAsync_ThreeServers_IsGradeStrict()
    {
        var a = await StartAsync(Ensemble.ConnectionString);
        a.Store.Info.Grade.ShouldBe(SafetyGrade.Strict);
        a.Store.Info.GradeReasons.ShouldBeEmpty();
    }

    [Fact]
    public async Task EnterAsync_GatewaysOnDifferentServers_SeeEachOthersWritersAtOnce()
    {
        var gateways = await Task.WhenAll(Ensemble.Servers.Select(server => StartAsync(server.ConnectionString)));
        for (var round = 0; round < 20; round++)
        {
            var (older, newer) = (gateways[round % 3], gateways[(round + 1) % 3]);
            var token = 10 * round + 1;
            (await older.EnterAsync("r", token)).Status.ShouldBe(EnterStatus.Admitted);
            (await newer.EnterAsync("r", token + 1)).ShouldBe(
                new EnterReply(EnterStatus.Draining, new FencingToken(token + 1), HeldElsewhere: true),
                "a server that is behind must not matter");
            (await older.EnterAsync("r", token)).Status.ShouldBe(EnterStatus.Stale);
            await older.ChangedAsync("r");
            await older.WithdrawAsync("r");
            (await newer.EnterAsync("r", token + 1)).Status.ShouldBe(EnterStatus.Admitted);
            await newer.WithdrawAsync("r");
        }
    }

    [Fact]
    public async Task EnterAsync_WriterOfANewSessionOnAnotherServer_IsNeverTakenForAnEndedOne()
    {
        var gateways = await Task.WhenAll(Ensemble.Servers.Select(server => StartAsync(server.ConnectionString)));
        for (var round = 0; round < 15; round++)
        {
            var (started, asks) = (gateways[round % 3], gateways[(round + 1) % 3]);
            // A session that is seconds old, and known to its own server first, must never be taken for one that has
            // ended.
            await started.EndSessionAsync(isClean: true);
            await started.StartSessionAsync();
            (await started.EnterAsync($"r/{round}", 5)).Status.ShouldBe(EnterStatus.Admitted);
            (await asks.EnterAsync($"r/{round}", 6, hold: TimeSpan.Zero)).Status.ShouldBe(EnterStatus.Draining);
        }
    }

    [Fact]
    public async Task Leader_Killed_SessionsAndMarksGoOnElsewhere()
    {
        var a = await StartAsync(Ensemble.ConnectionString);
        var b = await StartAsync(Ensemble.ConnectionString);
        await a.EnterAsync("r", 5);
        var sessions = _stores.Select(store => store.Client!.Session.Id).ToArray();
        await (await Ensemble.LeaderAsync()).KillAsync();
        var told = ChangedAsync(a, "r");
        var reply = await EventuallyAsync(() => b.EnterAsync("r", 6));
        reply.ShouldBe(new EnterReply(EnterStatus.Draining, new FencingToken(6), HeldElsewhere: true));
        await told;
        (await EventuallyAsync(a.HeartbeatAsync)).Alive.ShouldBeTrue();
        (await EventuallyAsync(() => a.EnterAsync("r", 5))).Status.ShouldBe(EnterStatus.Stale);
        _stores.Select(store => store.Client!.Session.Id).ShouldBe(sessions);
    }

    [Fact]
    public async Task Majority_Killed_NothingIsAnsweredUntilItIsBack()
    {
        var a = await StartAsync(Ensemble.ConnectionString);
        await a.EnterAsync("r", 5);
        await Ensemble.Servers[0].KillAsync();
        await Ensemble.Servers[1].KillAsync();
        await Eventually.IsSoAsync(() => a.Store.Fault is not null, "the rest does not serve");
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.EnterAsync("r", 6));
        await Ensemble.Servers[0].RestartAsync();
        (await EventuallyAsync(() => a.EnterAsync("r", 6))).Status.ShouldBe(EnterStatus.Admitted);
    }

    [RealTimeFact]
    public async Task Leader_Paused_SessionsAndMarksGoOnElsewhere()
    {
        var a = await StartAsync(Ensemble.ConnectionString);
        var b = await StartAsync(Ensemble.ConnectionString);
        await a.EnterAsync("r", 5);
        var leader = await Ensemble.LeaderAsync();
        leader.Pause();
        var told = ChangedAsync(a, "r");
        (await EventuallyAsync(() => b.EnterAsync("r", 6))).HeldElsewhere.ShouldBeTrue();
        await told;
        (await EventuallyAsync(a.HeartbeatAsync)).Alive.ShouldBeTrue();
        (await EventuallyAsync(() => a.EnterAsync("r", 5))).Status.ShouldBe(EnterStatus.Stale);
        leader.Continue();
    }

    [Fact]
    public async Task Server_CutOffFromTheOthers_AdmitsNothingAndTellsNothingOld()
    {
        var a = await StartAsync(Ensemble.Servers[0].ConnectionString);
        await a.EnterAsync("r", 5);
        Ensemble.Servers[1].Pause();
        Ensemble.Servers[2].Pause();
        await Eventually.IsSoAsync(() => a.Store.Fault is not null, "it has noticed that it is alone");
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.EnterAsync("r", 6));
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.EnterAsync("r", 4));
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.FindAsync("r"));
        await Should.ThrowAsync<TokenStoreUnavailableException>(a.HeartbeatAsync);
        Ensemble.Servers[1].Continue();
        Ensemble.Servers[2].Continue();
        (await EventuallyAsync(() => a.EnterAsync("r", 6))).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task Servers_KilledAndStartedInTurn_NoMarkGoesBack()
    {
        var a = await StartAsync(Ensemble.ConnectionString);
        var b = await StartAsync(Ensemble.ConnectionString);
        var token = 0;
        foreach (var server in Ensemble.Servers)
        {
            await server.KillAsync();
            for (var i = 0; i < 5; i++)
            {
                token++;
                (await EventuallyAsync(() => a.EnterAsync("r", token))).Status.ShouldBe(EnterStatus.Admitted);
            }

            (await EventuallyAsync(() => b.EnterAsync("r", token - 1))).Status.ShouldBe(EnterStatus.Stale);
            await server.RestartAsync();
        }

        (await EventuallyAsync(() => b.MarkAsync("r"))).ShouldBe(token);
    }

    private static async Task<T> EventuallyAsync<T>(Func<Task<T>> call)
    {
        async Task<T> RepeatAsync()
        {
            while (true)
            {
                try
                {
                    return await call();
                }
                catch (TokenStoreUnavailableException e) when (!e.SessionEnded)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
                }
            }
        }

        return await RepeatAsync().WithinLimit("an answer", TimeSpan.FromSeconds(60));
    }

    /// <summary>
    /// A gateway keeps its session, and one whose connection was lost reads again, with heartbeats: so it sends them
    /// meanwhile.
    /// </summary>
    private static async Task ChangedAsync(ConformanceGateway gateway, string key)
    {
        var changed = gateway.ChangedAsync(key, 4 * ConformanceGateway.LongLife);
        while (!changed.IsCompleted)
        {
            await EventuallyAsync(gateway.HeartbeatAsync);
            await Task.WhenAny(changed, Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System));
        }

        await changed;
    }

    private async Task<ConformanceGateway> StartAsync(string connectionString)
    {
        var store = ZooKeeperFixture.CreateStore(connectionString, _root);
        lock (_stores)
        {
            _stores.Add(store);
        }

        var gateway = new ConformanceGateway(store);
        await store.OpenAsync(default);
        await gateway.StartSessionAsync();
        return gateway;
    }
}
