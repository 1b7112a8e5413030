using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Etcd;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>An etcd of its own for each test, which is killed, stopped, compacted or asks for a password.</summary>
public sealed class EtcdFaultTests : IAsyncDisposable
{
    private readonly string _prefix = EtcdFixture.NewPrefix();
    private EtcdServer? _server;

    [Fact]
    public async Task Restart_AfterKill_KeepsMarksSessionsAndTheWatch()
    {
        var server = await StartServerAsync();
        await using var one = await EtcdGateway.StartAsync(_prefix, null, server.Address);
        await using var two = await EtcdGateway.StartAsync(_prefix, null, server.Address);
        await one.EnterAsync("a", 5);

        await server.KillAsync();
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => one.EnterAsync("a", 6));
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => one.EnterAsync("a", 6))).NotTaken.ShouldBeTrue();
        await server.RestartAsync();

        (await EtcdGateway.EventuallyAsync(t => two.EnterAsync("a", 4, cancellationToken: t))).Status.ShouldBe(
            EnterStatus.Stale);
        (await one.BeatAsync()).Alive.ShouldBeTrue();
        (await two.EnterAsync("a", 6)).ShouldBe(
            new EnterReply(EnterStatus.Draining, new FencingToken(6), HeldElsewhere: true));
        (await one.HearAsync("a")).Mark.ShouldBe(6);
        refused.Message.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Pause_CallInFlight_HasAnUnknownOutcomeAndIsDoneOrNotAfterwards()
    {
        var server = await StartServerAsync();
        await using var gateway = await EtcdGateway.StartAsync(_prefix, null, server.Address);
        await gateway.EnterAsync("a", 5);
        server.Pause();
        using (var bound = new CancellationTokenSource(TimeSpan.FromMilliseconds(300), TimeProvider.System))
        {
            var lost = await Should.ThrowAsync<TokenStoreUnavailableException>(
                () => gateway.EnterAsync("a", 6, cancellationToken: bound.Token));
            lost.NotTaken.ShouldBeFalse();
        }

        server.Continue();
        (await EtcdGateway.EventuallyAsync(t => gateway.EnterAsync("a", 7, cancellationToken: t))).Status.ShouldBe(
            EnterStatus.Admitted);
        (await gateway.EnterAsync("a", 6)).Status.ShouldBe(EnterStatus.Stale);
    }

    [Fact]
    public async Task Watch_HistoryCompactedAway_TellsOfStandingRevocationsAndGoesOn()
    {
        var server = await StartServerAsync();
        await using var old = await EtcdGateway.StartAsync(_prefix, null, server.Address);
        await using var next = await EtcdGateway.StartAsync(_prefix, null, server.Address);
        await old.EnterAsync("a", 5);
        await next.EnterAsync("a", 6);
        await old.HearAsync("a");
        var sequence = (await next.Store.FindAsync(EtcdGateway.Key("a"), default))!.Value.Sequence;
        await server.PostAsync("/v3/kv/compaction", $$"""{"revision":"{{sequence}}"}""");

        var logger = new TestLogger<EtcdTokenStore>();
        var heard = new System.Collections.Concurrent.BlockingCollection<ResourceChange>();
        using var client = new EtcdClient(
            new EtcdTokenStoreOptions { Endpoints = [server.Address] }, TimeProvider.System);
        var calls = new EtcdCalls(client, new EtcdKeys(_prefix));
        var gone = new GoneSessions(TimeProvider.System);
        var changes = new EtcdChanges(calls, new EtcdLeases(calls), gone, new EtcdResourceCache(), heard.Add);
        await using var watcher = new EtcdWatcher(client, calls, changes, "here", TimeProvider.System, logger);
        watcher.Start(1);

        Take(heard).ShouldBe(new ResourceChange(EtcdGateway.Key("a"), 6));
        logger.Entries.ShouldContain(e => e.Id == 2295);
        await old.WithdrawAsync("a");
        Take(heard).Resource.ShouldBe(EtcdGateway.Key("a"));
    }

    [Fact]
    public async Task Watch_NothingConcernsThePrefixForLong_WasSeenUpToWhatIsCompacted()
    {
        await using var server = await EtcdServer.StartAsync("--experimental-watch-progress-notify-interval=100ms");
        await using var proxy = new TcpProxy(server.Port);
        await using var gateway = await EtcdGateway.StartAsync(_prefix, null, $"http://127.0.0.1:{proxy.Port}");
        await using var other = await EtcdGateway.StartAsync(_prefix, null, server.Address);
        var revision = 0L;
        for (var i = 0; i < 20; i++)
        {
            revision = Revision(await server.PostAsync("/v3/kv/put", $$"""{"key":"{{Base64("elsewhere")}}","value":"AA=="}"""));
        }

        // The watch says where it goes on from.
        await ResumeAsync(gateway, proxy, until: text => text.EndsWith($" {revision + 1}", StringComparison.Ordinal));
        await server.PostAsync("/v3/kv/compaction", $$"""{"revision":"{{revision}}"}""");
        await ResumeAsync(gateway, proxy, until: _ => true);
        await EtcdGateway.EventuallyAsync(t => gateway.EnterAsync("a", 5, cancellationToken: t));
        await other.EnterAsync("a", 6);
        await gateway.HearAsync("a");

        gateway.Logger.Entries.ShouldNotContain(e => e.Id == 2295);
    }

    private static async Task ResumeAsync(EtcdGateway gateway, TcpProxy proxy, Func<string, bool> until)
    {
        using var limit = new CancellationTokenSource(TimeLimit.Default, TimeProvider.System);
        for (var resumed = -1; resumed < 0 || !until(gateway.Logger.Entries.Last(e => e.Id == 2294).Text);)
        {
            // Some of etcd's progress intervals.
            await Task.Delay(TimeSpan.FromMilliseconds(400), TimeProvider.System, limit.Token);
            resumed = gateway.Logger.Entries.Count(e => e.Id == 2294);
            proxy.Cut();
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
            proxy.Heal();
            while (gateway.Logger.Entries.Count(e => e.Id == 2294) == resumed)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
            }
        }
    }

    private static long Revision(string answer) => long.Parse(
        System.Text.Json.JsonDocument.Parse(answer).RootElement.GetProperty("header").GetProperty("revision")
            .GetString()!,
        System.Globalization.CultureInfo.InvariantCulture);

    [Fact]
    public async Task Lost_Data_IsToldAsAnError()
    {
        var server = await StartServerAsync();
        await using var gateway = await EtcdGateway.StartAsync(_prefix, null, server.Address);
        await gateway.BeatAsync();
        await server.PostAsync("/v3/kv/deleterange", $$"""{"key":"{{Base64($"{_prefix}/epoch")}}"}""");
        await gateway.BeatAsync();
        gateway.Logger.Entries.ShouldContain(e => e.Id == 2291);
    }

    [Fact]
    public async Task Cluster_OneOfThreeKilledOrPaused_GoesOnWithTheOthers()
    {
        await using var cluster = await EtcdCluster.StartAsync();
        await using var one = await EtcdGateway.StartAsync(_prefix, null, [.. cluster.Addresses]);
        await using var two = await EtcdGateway.StartAsync(_prefix, null, [.. cluster.Addresses.Reverse()]);
        one.Store.Info.Grade.ShouldBe(SafetyGrade.Strict);
        var token = 0;
        await one.EnterAsync("a", ++token);

        foreach (var member in cluster.Members)
        {
            await member.KillAsync();
            var killed = token + 1;
            (await EtcdGateway.EventuallyAsync(t => one.EnterAsync("a", killed, cancellationToken: t))).Status.ShouldBe(
                EnterStatus.Admitted);
            (await EtcdGateway.EventuallyAsync(t => two.EnterAsync("a", token, cancellationToken: t))).Status.ShouldBe(
                EnterStatus.Stale);
            (await EtcdGateway.EventuallyAsync(t => two.Store.HeartbeatAsync(two.Session, t).AsTask())).Alive
                .ShouldBeTrue();
            await member.RestartAsync();

            member.Pause();
            var paused = killed + 1;
            (await EtcdGateway.EventuallyAsync(t => one.EnterAsync("a", paused, cancellationToken: t))).Status.ShouldBe(
                EnterStatus.Admitted);
            (await EtcdGateway.EventuallyAsync(t => one.Store.HeartbeatAsync(one.Session, t).AsTask())).Alive
                .ShouldBeTrue();
            member.Continue();
            token = paused;
        }
    }

    [Fact]
    public async Task Cluster_WithoutAMajority_FailsClosedUntilItIsBack()
    {
        await using var cluster = await EtcdCluster.StartAsync();
        await using var gateway = await EtcdGateway.StartAsync(_prefix, null, [.. cluster.Addresses]);
        await gateway.EnterAsync("a", 1);
        await cluster.Members[0].KillAsync();
        await cluster.Members[1].KillAsync();
        using (var bound = new CancellationTokenSource(TimeSpan.FromSeconds(2), TimeProvider.System))
        {
            await Should.ThrowAsync<TokenStoreUnavailableException>(
                () => gateway.EnterAsync("a", 1, cancellationToken: bound.Token));
        }

        await cluster.Members[0].RestartAsync();
        (await EtcdGateway.EventuallyAsync(t => gateway.EnterAsync("a", 2, cancellationToken: t))).Status.ShouldBe(
            EnterStatus.Admitted);
    }

    [Fact]
    public async Task Password_WrongOrMissing_IsToldWithoutIt()
    {
        var server = await StartServerAsync();
        await server.EnableAuthAsync("sesame");
        foreach (var password in new[] { "abracadabra", null })
        {
            await using var store = NewStore(server, password is null ? null : "root", password);
            var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
                async () => await store.OpenAsync(default));
            refused.Message.ShouldNotContain("abracadabra");
        }
    }

    [Fact]
    public async Task Password_RightOne_WorksAndIsAskedForAnewAfterARestart()
    {
        var server = await StartServerAsync();
        await server.EnableAuthAsync("sesame");
        await using var store = NewStore(server, "root", "sesame");
        await store.OpenAsync(default);
        await store.StartSessionAsync("s", TimeSpan.FromSeconds(30), default);
        (await EnterAsync(store, 1, default)).Status.ShouldBe(EnterStatus.Admitted);
        await server.KillAsync();
        await server.RestartAsync();
        (await EtcdGateway.EventuallyAsync(t => EnterAsync(store, 2, t))).Status.ShouldBe(EnterStatus.Admitted);
        (await store.HeartbeatAsync("s", default)).Alive.ShouldBeTrue();
        store.Info.Location.ShouldNotContain("sesame");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    private static async Task<EnterReply> EnterAsync(
        EtcdTokenStore store, long token, CancellationToken cancellationToken) =>
        await store.EnterAsync(
            new EnterRequest(
                "s", EtcdGateway.Key("a"), new FencingToken(token), new FencingToken(token), token,
                TimeSpan.Zero), cancellationToken);

    private static string Base64(string text) => Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text));

    private static ResourceChange Take(System.Collections.Concurrent.BlockingCollection<ResourceChange> heard) =>
        heard.TryTake(out var change, TimeLimit.Default) ? change : throw new TimeoutException("Nothing was told.");

    private EtcdTokenStore NewStore(EtcdServer server, string? user, string? password) => new(
        new EtcdTokenStoreOptions
        { Endpoints = [server.Address], KeyPrefix = _prefix, UserName = user, Password = password is null ? null : () => password },
        TimeProvider.System,
        new TestLogger<EtcdTokenStore>());

    private async Task<EtcdServer> StartServerAsync() => _server = await EtcdServer.StartAsync();
}
