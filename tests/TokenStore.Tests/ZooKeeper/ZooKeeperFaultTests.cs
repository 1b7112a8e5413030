using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

/// <summary>
/// What the store answers when connections, sessions and servers end. Each test has a server of its own.
/// </summary>
public sealed class ZooKeeperFaultTests : IAsyncLifetime
{
    private readonly ZooKeeperFixture _fixture = new();
    private readonly string _root = ZooKeeperFixture.NewRoot();
    private readonly List<ZooKeeperTokenStore> _stores = [];
    private readonly TestLogger<ZooKeeperTokenStore> _logger = new();

    private ZooKeeperServer Server => _fixture.Server;

    public ValueTask InitializeAsync() => _fixture.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        Server.Continue();
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task Session_ExpiredInZooKeeper_IsOverAndTheNextOneWaitsForWhatItLeft()
    {
        var (a, b) = (await StartAsync(), await StartAsync());
        await a.EnterAsync("r", 5);
        await _fixture.ExpireAsync(StoreOf(a).Client!);
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(async () =>
        {
            while (true)
            {
                await a.EnterAsync("r", 5);
            }
        });
        await Eventually.IsSoAsync(
            async () => !(await HeartbeatOrNullAsync(a) ?? new(true, [])).Alive, "the session is over");
        refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.EnterAsync("r", 5));
        (refused.SessionEnded, refused.NotTaken).ShouldBe((true, true));
        var held = await b.EnterAsync("r", 6);
        (held.Status, held.HeldElsewhere, held.RetryAfter > TimeSpan.Zero).ShouldBe(
            (EnterStatus.Draining, false, true));

        await a.Store.OpenAsync(default);
        await a.StartSessionAsync();
        (await a.HeartbeatAsync()).Alive.ShouldBeTrue();
        (await a.EnterAsync("r", 7)).Status.ShouldBe(EnterStatus.Draining);
        (await a.EnterAsync("r", 7, hold: TimeSpan.Zero)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task Connection_CutAndBack_TheSessionGoesOnAndWhatHappenedMeanwhileIsTold()
    {
        await using var proxy = new TcpProxy(Server.Port);
        var a = await StartAsync($"127.0.0.1:{proxy.Port}");
        var b = await StartAsync();
        await a.EnterAsync("r", 5);
        await a.EnterAsync("s", 5);
        var session = StoreOf(a).Client!.Session.Id;
        proxy.Cut();
        await Eventually.IsSoAsync(() => a.Store.Fault is not null, "the connection is lost");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.EnterAsync("r", 6));
        (refused.NotTaken, refused.SessionEnded).ShouldBe((true, false));
        (await b.EnterAsync("r", 6)).ShouldBe(
            new EnterReply(EnterStatus.Draining, new FencingToken(6), HeldElsewhere: true));
        proxy.Heal();
        await a.ChangedAsync("r");
        a.Store.Fault.ShouldBeNull();
        StoreOf(a).Client!.Session.Id.ShouldBe(session);
        (await a.HeartbeatAsync()).Revoked.ShouldBe([new ResourceChange(ConformanceGateway.Key("r"), 6)]);
        await a.WithdrawAsync("r");
        await b.ChangedAsync("r");
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task Server_KilledAndStartedAgain_TheSessionAndTheMarksGoOn()
    {
        var (a, b) = (await StartAsync(), await StartAsync());
        await a.EnterAsync("r", 5);
        await Server.KillAsync();
        await Eventually.IsSoAsync(() => a.Store.Fault is not null, "the connection is lost");
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => b.EnterAsync("r", 6));
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => b.HeartbeatAsync());
        await Server.RestartAsync();
        await Eventually.IsSoAsync(() => a.Store.Fault is null && b.Store.Fault is null, "both are back");
        (await a.HeartbeatAsync()).Alive.ShouldBeTrue();
        (await b.EnterAsync("r", 6)).ShouldBe(
            new EnterReply(EnterStatus.Draining, new FencingToken(6), HeldElsewhere: true));
        await a.ChangedAsync("r");
        (await a.EnterAsync("r", 5)).Status.ShouldBe(EnterStatus.Stale);
    }

    [Fact]
    public async Task Server_StartedWithoutItsData_IsNoticedAndLogged()
    {
        var a = await StartAsync();
        await a.EnterAsync("r", 5);
        await Server.RestartEmptyAsync();
        await Eventually.IsSoAsync(
            async () =>
            {
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2), TimeProvider.System);
                try
                {
                    await a.Store.OpenAsync(limit.Token);
                    return true;
                }
                catch (TokenStoreUnavailableException)
                {
                    return false;
                }
            },
            "the store is open again");
        _logger.Entries.ShouldContain(e => e.Id == 2273);
        await a.StartSessionAsync();
        (await a.EnterAsync("r", 1)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task Server_Paused_CallsEndWithTheirTokenAndAStepOfThenNeverComesBack()
    {
        var (a, b) = (await StartAsync(), await StartAsync());
        await a.EnterAsync("r", 5);
        await a.WithdrawAsync("r");
        Server.Pause();
        using (var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(300), TimeProvider.System))
        {
            await Should.ThrowAsync<OperationCanceledException>(
                async () => await a.Store.EnterAsync(a.Request("r", 5), limit.Token));
        }

        Server.Continue();
        await Eventually.IsSoAsync(async () => await HeartbeatOrNullAsync(a) is { Alive: true }, "the server is back");
        await a.WithdrawAsync("r");
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
        (await b.FindAsync("r"))!.Value.Writers.ShouldHaveSingleItem().Session.ShouldBe(b.Session);
    }

    [Fact]
    public async Task EnterAsync_ReplyLost_TheRegistrationIsFoundAndToldOfWhenItIsSealed()
    {
        await using var proxy = new TcpProxy(Server.Port);
        var a = await StartAsync($"127.0.0.1:{proxy.Port}");
        var b = await StartAsync();
        await a.EnterAsync("r", 5);
        await a.WithdrawAsync("r");
        proxy.Delay(TimeSpan.FromMilliseconds(100));
        var lost = a.EnterAsync("r", 5);
        await Eventually.IsSoAsync(
            async () => (await b.FindAsync("r"))!.Value.Writers.Count > 0 || lost.IsCompleted, "the step is taken");
        proxy.Cut();
        var unknown = await lost.ContinueWith(
            task => task.Exception?.InnerException as TokenStoreUnavailableException, TaskScheduler.Default);
        proxy.Heal();
        if (unknown is not null)
        {
            unknown.NotTaken.ShouldBeFalse("it was taken");
        }

        await Eventually.IsSoAsync(
            async () => await HeartbeatOrNullAsync(a) is { Alive: true }, "the connection is back");
        await b.EnterAsync("r", 6);
        (await a.HeartbeatAsync()).Revoked.ShouldBe([new ResourceChange(ConformanceGateway.Key("r"), 6)]);
        await a.WithdrawAsync("r");
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [RealTimeFact]
    public async Task Session_WithoutHeartbeats_EndsAlthoughTheConnectionLives()
    {
        var a = await StartAsync(timeToLive: TimeSpan.FromSeconds(1));
        a.TimeToLive.ShouldBe(TimeSpan.FromSeconds(1));
        await a.EnterAsync("r", 5);
        await Eventually.IsSoAsync(() => _logger.Entries.Any(e => e.Id == 2274), "it is ended");
        a.Store.Fault.ShouldBeNull();
        (await a.HeartbeatAsync()).Alive.ShouldBeFalse();
        await a.StartSessionAsync();
        (await a.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
    }

    [Fact]
    public async Task Sessions_OneAfterTheOther_AreOnOneConnection()
    {
        var a = await StartAsync();
        var session = StoreOf(a).Client!.Session.Id;
        for (var i = 0; i < 5; i++)
        {
            (await a.EnterAsync("r", 5)).Status.ShouldBe(EnterStatus.Admitted);
            await a.EndSessionAsync(isClean: true);
            await a.StartSessionAsync();
        }

        StoreOf(a).Client!.Session.Id.ShouldBe(session);
        (await a.FindAsync("r"))!.Value.Writers.ShouldBeEmpty();
    }

    [Fact]
    public async Task Watches_OfResourcesThatWereWithdrawn_AreGone()
    {
        var a = await StartAsync();
        var keys = Enumerable.Range(0, 50).Select(i => $"r/{i}").ToArray();
        foreach (var key in keys)
        {
            await a.EnterAsync(key, 5);
        }

        StoreOf(a).WatchedCount.ShouldBe(50);
        await a.Store.WithdrawAsync(
            a.Session, [.. keys.Select(k => new Registration(ConformanceGateway.Key(k), a.Sequence))], default);
        await Eventually.IsSoAsync(() => StoreOf(a).WatchedCount == 0, "nothing is kept");
        var stale = await a.EnterAsync("r/1", 4);
        stale.Status.ShouldBe(EnterStatus.Stale);
        StoreOf(a).WatchedCount.ShouldBe(0);
    }

    [Fact]
    public async Task EnterAsync_MoreWritersThanANodeTakes_IsRefusedAndNotTaken()
    {
        var a = await StartAsync();
        await a.EnterAsync("r", 5);
        await a.WithdrawAsync("r");
        await using var client = await _fixture.ConnectAsync();
        var path = ZooKeeperPaths.Parse(_root).Resource("r");
        var stored = await client.SendAsync(ZooKeeperRequest.GetData(path, watch: false), default);
        var full = ResourceNode.Parse(stored.Value.Data) with
        {
            Writers =
                [.. Enumerable.Range(0, 5200).Select(i => new RegisteredWriter($"{new string('s', 80)}{i}", 5, 1, null))],
        };
        (await client.SendAsync(ZooKeeperRequest.Multi(MultiOperation.SetData(path, full.ToData(), -1)), default)).Value[0].Error
            .ShouldBe(ZooKeeperError.Ok);
        // They are of sessions that never were, so they count as ended, and hold.
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.EnterAsync("r", 5));
        refused.NotTaken.ShouldBeTrue();
        (await a.MarkAsync("r")).ShouldBe(5);
        (await a.EnterAsync("r", 6, hold: TimeSpan.Zero)).Status.ShouldBe(
            EnterStatus.Admitted, "ended ones whose hold is over go");
    }

    [Fact]
    public async Task OpenAsync_OneServer_IsGradeSingleAndSaysWhy()
    {
        var a = await StartAsync();
        a.Store.Info.Grade.ShouldBe(SafetyGrade.Single);
        a.Store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("three or more");
        a.Store.Info.Location.ShouldBe($"{_fixture.ConnectionString}{_root}");
    }

    [Fact]
    public async Task OpenAsync_OtherUser_IsRefusedWithWhatToDo()
    {
        await using var alice = _fixture.CreateStore(_root, "alice:secret");
        await alice.OpenAsync(default);
        await alice.StartSessionAsync("s", TimeSpan.FromSeconds(5), default);
        alice.Info.Location.ShouldNotContain("secret");
        await using var bob = _fixture.CreateStore(_root, "bob:secret");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await bob.OpenAsync(default));
        refused.Message.ShouldContain("ZooKeeper:User");
    }

    [Fact]
    public async Task OpenAsync_NobodyListens_SaysWhereAndWhy()
    {
        var port = FreePorts.Next();
        await using var store = ZooKeeperFixture.CreateStore($"127.0.0.1:{port}", _root);
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(500), TimeProvider.System);
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await store.OpenAsync(limit.Token));
        refused.Message.ShouldContain($"{port}");
        store.Fault.ShouldNotBeNull();
    }

    private static ZooKeeperTokenStore StoreOf(ConformanceGateway gateway) => (ZooKeeperTokenStore)gateway.Store;

    private static async Task<Heartbeat?> HeartbeatOrNullAsync(ConformanceGateway gateway)
    {
        try
        {
            return await gateway.HeartbeatAsync();
        }
        catch (TokenStoreUnavailableException)
        {
            return null;
        }
    }

    private async Task<ConformanceGateway> StartAsync(string? connectionString = null, TimeSpan? timeToLive = null)
    {
        var store = ZooKeeperFixture.CreateStore(connectionString ?? _fixture.ConnectionString, _root, logger: _logger);
        _stores.Add(store);
        var gateway = new ConformanceGateway(store);
        await store.OpenAsync(default);
        await gateway.StartSessionAsync(timeToLive);
        return gateway;
    }
}
