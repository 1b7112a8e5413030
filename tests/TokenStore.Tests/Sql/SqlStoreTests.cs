using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;

namespace FenceGateway.TokenStore.Tests.Sql;

/// <summary>What every store on a SQL database has to stand, beyond the conformance of all stores.</summary>
public abstract class SqlStoreTests
{
    private const int RetriedEvent = 2244;
    private readonly string _prefix = $"t{Guid.NewGuid():N}"[..32];

    private protected string Prefix => _prefix;

    [Fact]
    public async Task EnterAsync_ManySessionsOnOneResource_AnswerAsOneOrderWithoutADeadlock()
    {
        var stores = await StartStoresAsync(6);
        var replies = await Task
            .WhenAll(stores.SelectMany((gateway, index) => Enumerable.Range(0, 40).Select(i => Task.Run(
            async () =>
            {
                var token = (i * stores.Count) + index + 1;
                return (Token: token, Reply: await gateway.EnterAsync("r", token, sequence: token));
            }))));
        (await stores[0].MarkAsync("r")).ShouldBe(stores.Count * 40);
        foreach (var (token, reply) in replies)
        {
            (reply.Status == EnterStatus.Stale).ShouldBe(reply.Mark.Value > token, $"{token} {reply}");
        }

        await CloseAsync(stores);
    }

    [Fact]
    public async Task EveryStep_ManySessionsOnFewResources_NeverDeadlocks()
    {
        var seed = new RandomSeed();
        await seed.RunAsync(async random =>
        {
            var stores = await StartStoresAsync(4);
            await Task.WhenAll(stores.SelectMany(gateway => Enumerable.Range(0, 3).Select(_ => random.Next()).ToArray()
                .Select(own => Task.Run(() => LoadAsync(gateway, new Random(own))))));
            await CloseAsync(stores);
        });
    }

    [RealTimeFact]
    public async Task EnterAsync_SessionExpiresWhileTheStepWaits_IsRefused()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync(TimeSpan.FromSeconds(1));
        await gateway.EnterAsync("r", 5);
        Task<EnterReply> waiting;
        await using (await LockResourceAsync("r"))
        {
            waiting = gateway.EnterAsync("r", 6);
            await Eventually.IsSoAsync(
                async () => (await gateway.FindAsync("r"))!.Value.Writers.Any(w => w.EndedFor is not null),
                "the session to end");
            waiting.IsCompleted.ShouldBeFalse();
        }

        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => waiting)).SessionEnded.ShouldBeTrue();
        (await gateway.MarkAsync("r")).ShouldBe(5);
    }

    [Fact]
    public async Task EnterAsync_ServerKilledAndStartedAgain_FindsEveryMarkThatWasAnswered()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        for (var token = 1; token <= 20; token++)
        {
            (await gateway.EnterAsync($"r{token % 3}", token)).Status.ShouldBe(EnterStatus.Admitted);
        }

        await RestartServerAsync();
        await EventuallyAsync(async () => await gateway.MarkAsync("r2") == 20);
        (await gateway.EnterAsync("r2", 19)).Status.ShouldBe(EnterStatus.Stale);
        (await gateway.HeartbeatAsync()).Alive.ShouldBeTrue();
        (await gateway.EnterAsync("r1", 21)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EveryCall_ServerPaused_EndsWithItsTokenAndTheStoreServesAgainAfterwards()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 1);
        PauseServer();
        using (var bound = new CancellationTokenSource(TimeSpan.FromMilliseconds(300), TimeProvider.System))
        {
            Task[] calls =
            [
                .. Enumerable.Range(2, 60).Select(
                    token => store.EnterAsync(gateway.Request($"r{token}", token), bound.Token).AsTask()),
                store.HeartbeatAsync(gateway.Session, bound.Token).AsTask(),
                store.OpenAsync(bound.Token).AsTask(),
            ];
            foreach (var call in calls)
            {
                // A driver that waits for the server would never come back.
                (await Should.ThrowAsync<Exception>(() => call.WithinLimit("the call to end")))
                    .ShouldSatisfyAllConditions(
                        e => (e is OperationCanceledException or TokenStoreUnavailableException).ShouldBeTrue(
                            e.ToString()));
            }
        }

        ContinueServer();
        await store.OpenAsync(default);
        for (var round = 0; round < 3; round++)
        {
            var replies = await Task.WhenAll(
                Enumerable.Range(0, 40).Select(i => gateway.EnterAsync($"x{i}", 100 + round)));
            replies.ShouldAllBe(reply => reply.Status == EnterStatus.Admitted);
        }
    }

    [Fact]
    public async Task EnterAsync_EveryConnectionHasSilentlyGone_TheirPlacesAreUsedAgain()
    {
        await using var proxy = new TcpProxy(ServerPort);
        await using var store = CreateStore(proxy.Port);
        var gateway = await store.StartGatewayAsync(TimeSpan.FromMinutes(1));
        await gateway.EnterAsync("r", 5);
        Task<EnterReply>[] steps;
        await using (await LockResourceAsync("r"))
        {
            steps = [.. Enumerable.Range(0, 30).Select(_ => gateway.EnterAsync("r", 5))];
            await EventuallyWaitingAsync(16);
        }

        await Task.WhenAll(steps);
        proxy.Forget();
        using (var bound = new CancellationTokenSource(TimeSpan.FromMilliseconds(300), TimeProvider.System))
        {
            var calls = Enumerable.Range(0, 30).Select(
                i => store.EnterAsync(gateway.Request($"r{i}", 5), bound.Token).AsTask());
            foreach (var call in calls.ToArray())
            {
                await Should.ThrowAsync<OperationCanceledException>(() => call);
            }
        }

        await EventuallyAsync(async () =>
        {
            var answered = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => gateway.EnterAsync($"r{i}", 6)));
            return answered.All(reply => reply.Status == EnterStatus.Admitted);
        });
    }

    [Fact]
    public async Task EndSessionAsync_WhileAStepOfTheSessionIsTaken_WaitsForIt()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        await using var other = CreateStore();
        var gone = await other.StartGatewayAsync(TimeSpan.FromSeconds(1));
        await gone.EnterAsync("r", 5);
        await EventuallyAsync(async () => (await gateway.FindAsync("r"))!.Value.Writers[0].EndedFor is not null);

        // The step wants to note that the other session has expired; its own session is locked by then.
        Task<EnterReply> step;
        Task end;
        await using (await LockSessionAsync(gone.Session))
        {
            step = gateway.EnterAsync("r", 6);
            await EventuallyWaitingAsync(1);
            end = gateway.EndSessionAsync(isClean: true);
            await EventuallyWaitingAsync(2);
            end.IsCompleted.ShouldBeFalse();
        }

        (await step).Status.ShouldBe(EnterStatus.Draining);
        await end;
        (await store.FindAsync(gateway.Request("r", 1).Resource, default))!.Value.Writers.ShouldHaveSingleItem()
            .Session.ShouldBe(gone.Session);
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.EnterAsync("r", 6))).SessionEnded
            .ShouldBeTrue();
    }

    [Fact]
    public async Task HeartbeatAsync_StepsWaitOnEveryConnection_DoesNotWait()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 5);
        Task<EnterReply>[] steps;
        await using (await LockResourceAsync("r"))
        {
            steps = [.. Enumerable.Range(0, 30).Select(i => gateway.EnterAsync("r", 6 + i))];
            (await gateway.HeartbeatAsync().WithinLimit("a heartbeat")).Alive.ShouldBeTrue();
        }

        await Task.WhenAll(steps);
    }

    [Fact]
    public async Task HeartbeatAsync_SessionsThatEndedLongAgo_AreForgottenLittleByLittleWithWhatTheyLeft()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        await Task.WhenAll(Enumerable.Range(0, Registration.MaxBatch + 10).Select(i => gateway.EnterAsync($"r{i}", 5)));
        await gateway.EndSessionAsync(isClean: false);
        await gateway.StartSessionAsync();
        (await gateway.FindAsync("r0"))!.Value.Writers.ShouldNotBeEmpty();

        await AgeSessionsAsync();
        await gateway.StartSessionAsync();
        (await CountSessionsAsync()).ShouldBe(3, "a session does not begin with work for others");
        await EventuallyAsync(async () =>
        {
            (await gateway.HeartbeatAsync()).Alive.ShouldBeTrue();
            return await CountSessionsAsync() == 1;
        });
        var record = (await gateway.FindAsync("r0"))!.Value;
        record.Writers.ShouldBeEmpty();
        record.Mark.ShouldBe(5);
    }

    [Fact]
    public async Task ListAsync_PrefixWithCharactersOfPatterns_IsPlainText()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        foreach (var key in (string[])["a%b", "a_b", "axb", "a\\b", "a'b", "a b ", "aÿ", "b"])
        {
            await gateway.EnterAsync(key, 1);
        }

        (await store.ListAsync(new MarkQuery("a%", long.MaxValue, 10), default)).ShouldHaveSingleItem().Resource.Value
            .ShouldBe("a%b");
        (await store.ListAsync(new MarkQuery("a", long.MaxValue, 10), default)).Count.ShouldBe(7);
        (await store.ListAsync(new MarkQuery("a\\", long.MaxValue, 10), default)).Count.ShouldBe(1);
        (await store.ListAsync(new MarkQuery("aÿ", long.MaxValue, 10), default)).Count.ShouldBe(1);
    }

    private protected ITokenStore CreateStore() => CreateStore(ServerPort);

    private protected abstract int ServerPort { get; }

    /// <summary>A store that finds the server at another port of 127.0.0.1.</summary>
    private protected abstract ITokenStore CreateStore(int port);

    /// <summary>How often a deadlock was broken, by all stores made.</summary>
    private protected abstract int CountLogged(int eventId);

    private protected abstract Task RestartServerAsync();

    private protected abstract void PauseServer();

    private protected abstract void ContinueServer();

    /// <summary>Holds the lock of a resource's row, as a slow step would.</summary>
    private protected abstract Task<IAsyncDisposable> LockResourceAsync(string key);

    /// <summary>Holds the lock of a session's row.</summary>
    private protected abstract Task<IAsyncDisposable> LockSessionAsync(string id);

    /// <summary>Waits until so many steps wait for locks.</summary>
    private protected abstract Task EventuallyWaitingAsync(int count);

    /// <summary>As if all sessions had ended longer ago than any InDoubtHold.</summary>
    private protected abstract Task AgeSessionsAsync();

    private protected abstract Task<int> CountSessionsAsync();

    /// <summary>
    /// Opens a store whose commits do not end again and again, leaves the start of a session to itself each time, and
    /// closes it.
    /// </summary>
    private protected static async Task LeaveStartsOfSessionsAsync(ITokenStore store)
    {
        for (var round = 0; round < 5; round++)
        {
            await store.OpenAsync(default);
            using var bound = new CancellationTokenSource(TimeSpan.FromMilliseconds(200), TimeProvider.System);
            await Should.ThrowAsync<OperationCanceledException>(
                async () => await store.StartSessionAsync($"s{round}", TimeSpan.FromSeconds(5), bound.Token));
        }

        await store.DisposeAsync();
    }

    /// <summary>Asks until it is so; a store that is away is asked again.</summary>
    private protected static Task EventuallyAsync(Func<Task<bool>> condition) =>
        Eventually.IsSoAsync(condition, "the store to be so", isNotYet: e => e is TokenStoreUnavailableException);

    private static async Task LoadAsync(ConformanceGateway gateway, Random random)
    {
        for (var i = 0; i < 60; i++)
        {
            var key = $"r{random.Next(4)}";
            var token = i + random.Next(1, 5);
            switch (random.Next(12))
            {
                case 0:
                    await gateway.Store.WithdrawAsync(
                        gateway.Session,
                        [.. Enumerable.Range(0, 4).Select(n => new Registration(ConformanceGateway.Key($"r{(n + i) % 4}"), gateway.Sequence))],
                        default);
                    break;
                case 1:
                    _ = await gateway.ResolveAsync(key);
                    break;
                case 2:
                    _ = await gateway.SetMarkAsync(key, token, TimeSpan.Zero);
                    break;
                case 3:
                    _ = await gateway.HeartbeatAsync();
                    break;
                case 4:
                    // The others meet a session that ends while they look at it.
                    await gateway.StartSessionAsync(TimeSpan.FromMilliseconds(random.Next(1, 50)));
                    await EnterOrEndedAsync(gateway, key, token);
                    await gateway.EndSessionAsync(isClean: random.Next(2) == 0);
                    await gateway.StartSessionAsync();
                    break;
                default:
                    await EnterOrEndedAsync(gateway, key, token, Math.Max(1, token - random.Next(2)));
                    break;
            }
        }
    }

    private static async Task EnterOrEndedAsync(ConformanceGateway gateway, string key, long token, long? oldest = null)
    {
        try
        {
            _ = await gateway.EnterAsync(key, token, oldest, hold: TimeSpan.FromMilliseconds(20));
        }
        catch (TokenStoreUnavailableException e) when (e.SessionEnded)
        {
            // Its short life is over, or another thread of this gateway has ended it.
        }
    }

    private async Task<List<ConformanceGateway>> StartStoresAsync(int count)
    {
        List<ConformanceGateway> gateways = [];
        for (var i = 0; i < count; i++)
        {
            gateways.Add(await CreateStore().StartGatewayAsync());
        }

        return gateways;
    }

    private async Task CloseAsync(List<ConformanceGateway> gateways)
    {
        foreach (var gateway in gateways)
        {
            await gateway.Store.DisposeAsync();
        }

        CountLogged(RetriedEvent).ShouldBe(0, "a deadlock had to be broken");
    }
}
