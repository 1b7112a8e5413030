using FenceGateway.Fencing;
using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Conformance;

/// <summary>
/// What every token store does, be it for one gateway or for many: here is one gateway with one session. A store's test
/// class inherits this, or <see cref="SharedTokenStoreConformance{TStore}"/> if several gateways can share it.
/// </summary>
/// <typeparam name="TStore">The store under test.</typeparam>
public abstract class TokenStoreConformance<TStore> : IAsyncLifetime
    where TStore : class, ITokenStore
{
    private readonly List<ITokenStore> _stores = [];
    private ConformanceGateway? _gateway;

    /// <summary>A gateway with a session, before a test's first step the only one.</summary>
    protected ConformanceGateway Gateway => _gateway ?? throw new InvalidOperationException("Not initialised.");

    /// <summary>The store of <see cref="Gateway"/>.</summary>
    protected ITokenStore Store => Gateway.Store;

    /// <summary>Steps of a random sequence; as many as take seconds.</summary>
    protected virtual int RandomSteps => 400;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        await PrepareAsync();
        _gateway = await OpenAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        await CleanUpAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task EnterAsync_NewResource_IsAdmittedAndRaisesTheMark()
    {
        (await Gateway.EnterAsync("orders/1", 5)).ShouldBe(Admitted(5));
        (await Gateway.MarkAsync("orders/1")).ShouldBe(5);
        (await Store.CountAsync(default)).ShouldBe(1);
        Store.PeekMark(ConformanceGateway.Key("orders/1")).ShouldBeOneOf(0, 5);
    }

    [Fact]
    public async Task EnterAsync_SameToken_IsAdmittedAgainAndTheMarkIsAsItWas()
    {
        await Gateway.EnterAsync("a", 5);
        var before = (await Gateway.FindAsync("a"))!.Value;
        (await Gateway.EnterAsync("a", 5)).ShouldBe(Admitted(5));
        var after = (await Gateway.FindAsync("a"))!.Value;
        (after.Mark, after.AdvancedAt, after.Sequence).ShouldBe((before.Mark, before.AdvancedAt, before.Sequence));
    }

    [Fact]
    public async Task EnterAsync_OlderToken_IsStaleWithTheMarkAsWitness()
    {
        await Gateway.EnterAsync("a", 5);
        (await Gateway.EnterAsync("a", 4)).ShouldBe(Stale(5));
        (await Gateway.EnterAsync("a", 1)).ShouldBe(Stale(5));
        (await Gateway.MarkAsync("a")).ShouldBe(5);
    }

    [Fact]
    public async Task EnterAsync_OlderWriteInFlight_DrainsAndTheMarkIsRaisedAllTheSame()
    {
        await Gateway.EnterAsync("a", 5);
        (await Gateway.EnterAsync("a", 6, oldest: 5)).ShouldBe(Draining(6));
        (await Gateway.MarkAsync("a")).ShouldBe(6);
        (await Gateway.EnterAsync("a", 5)).ShouldBe(Stale(6));
    }

    [Fact]
    public async Task EnterAsync_AfterTheOlderWriteHasEnded_IsAdmitted()
    {
        await Gateway.EnterAsync("a", 5);
        await Gateway.EnterAsync("a", 6, oldest: 5);
        (await Gateway.EnterAsync("a", 6)).ShouldBe(Admitted(6));
    }

    [Fact]
    public async Task EnterAsync_AfterAWithdrawal_IsAdmittedAgain()
    {
        await Gateway.EnterAsync("a", 5);
        await Gateway.WithdrawAsync("a");
        (await Gateway.EnterAsync("a", 4)).ShouldBe(Stale(5));
        (await Gateway.EnterAsync("a", 5)).ShouldBe(Admitted(5));
    }

    [Fact]
    public async Task EnterAsync_NeighboursOfAGreatToken_AreToldApart()
    {
        foreach (var token in (long[])[1L << 53, (1L << 53) + 1, long.MaxValue - 1, 999_999_999_999_999_999])
        {
            var key = $"a{token}";
            (await Gateway.EnterAsync(key, 9)).ShouldBe(Admitted(9));
            (await Gateway.EnterAsync(key, token)).ShouldBe(Admitted(token));
            (await Gateway.EnterAsync(key, token - 1)).ShouldBe(Stale(token));
            (await Gateway.EnterAsync(key, token + 1, oldest: token)).ShouldBe(Draining(token + 1));
            (await Gateway.EnterAsync(key, token)).ShouldBe(Stale(token + 1));
            (await Gateway.EnterAsync(key, token + 1)).ShouldBe(Admitted(token + 1));
            (await Gateway.MarkAsync(key)).ShouldBe(token + 1);
        }
    }

    [Fact]
    public async Task EnterAsync_OtherResource_IsNotAffected()
    {
        await Gateway.EnterAsync("a", 5);
        (await Gateway.EnterAsync("b", 1)).ShouldBe(Admitted(1));
        (await Gateway.EnterAsync("a/b", 1)).ShouldBe(Admitted(1));
        (await Store.CountAsync(default)).ShouldBe(3);
    }

    [Fact]
    public async Task EnterAsync_KeysThatLookAlike_AreDifferentResources()
    {
        string[] keys =
        [
            "a", "A", "a ", " a", "a\u200d", "a/", "a/b", "a//b", "a/../b", "b", ".", "..", "é", "e\u0301", "ß", "ss",
            "ı", "i",
            "𝕏/1", "𝕐/1", "日本", "日本語", "{a}b", "{a}c", "a:b", "a%3Ab", "a'b\"c", "a''b\"c", "a\\b", "a\\\\b", "*", "?",
            "a+b", "a b",
        ];
        foreach (var (i, key) in keys.Index())
        {
            (await Gateway.FindAsync(key)).ShouldBeNull(key);
            (await Gateway.EnterAsync(key, keys.Length - i)).ShouldBe(Admitted(keys.Length - i), key);
        }

        foreach (var (i, key) in keys.Index())
        {
            var record = (await Gateway.FindAsync(key))!.Value;
            (record.Resource.Value, record.Mark).ShouldBe((key, keys.Length - i));
        }

        var listed = await Store.ListAsync(new MarkQuery("", long.MaxValue, keys.Length), default);
        listed.Select(r => r.Resource.Value).ShouldBe(keys.Reverse());
        (await Store.CountAsync(default)).ShouldBe(keys.Length);
    }

    [Fact]
    public async Task EnterAsync_LongestKeys_AreToldApart()
    {
        foreach (var (character, times) in ((string, int)[])[("x", 1024), ("/", 1024), ("é", 512), ("𝕏", 256)])
        {
            var key = string.Concat(Enumerable.Repeat(character, times));
            var other = string.Concat(Enumerable.Repeat(character, times - 1)) + "y";
            (await Gateway.EnterAsync(key, 5)).ShouldBe(Admitted(5), character);
            (await Gateway.EnterAsync(other, 3)).ShouldBe(Admitted(3), character);
            (await Gateway.FindAsync(key))!.Value.Resource.Value.ShouldBe(key);
            (await Gateway.MarkAsync(other)).ShouldBe(3, character);
        }
    }

    [Fact]
    public async Task EnterAsync_ConcurrentTokens_AnswerAsOneOrder()
    {
        var replies = await Task.WhenAll(Enumerable.Range(1, 200).Select(i => Task.Run(async () =>
            (Token: i, Reply: await Gateway.EnterAsync("a", i, sequence: i)))));
        (await Gateway.MarkAsync("a")).ShouldBe(200);
        foreach (var (token, reply) in replies)
        {
            reply.Status.ShouldBe(
                reply.Mark.Value > token ? EnterStatus.Stale : EnterStatus.Admitted, $"{token} {reply}");
        }
    }

    [Fact]
    public async Task EnterAsync_NoToken_IsRefusedAsACallersMistake() =>
        await Should.ThrowAsync<ArgumentException>(async () => await Store.EnterAsync(default, default));

    [Fact]
    public async Task EnterAsync_HoldOutOfBounds_IsRefusedAndChangesNothing()
    {
        foreach (var hold in (long[])[-1, TimeSpan.TicksPerDay + 1])
        {
            var refused = await Should.ThrowAsync<ArgumentException>(
                () => Gateway.EnterAsync("a", 5, hold: TimeSpan.FromTicks(hold)));
            refused.Message.ShouldContain("0 to 24 hours");
            (await Gateway.FindAsync("a")).ShouldBeNull();
        }

        (await Gateway.EnterAsync("a", 5, hold: EnterRequest.LongestHold)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EnterAsync_SessionThatNeverWas_IsRefusedAndChangesNothing()
    {
        var request = Gateway.Request("a", 5) with { Session = "nobody" };
        var refusal = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await Store.EnterAsync(request, default));
        (refusal.SessionEnded, refusal.NotTaken).ShouldBe((true, true));
        (await Gateway.FindAsync("a")).ShouldBeNull();
    }

    [Fact]
    public async Task EnterAsync_SessionThatHasEnded_IsRefused()
    {
        await Gateway.EnterAsync("a", 5);
        await Gateway.EndSessionAsync(isClean: true);
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => Gateway.EnterAsync("a", 6));
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => Gateway.EnterAsync("a", 5));
    }

    [Fact]
    public async Task HeartbeatAsync_SessionThatLives_IsAliveAndNothingIsRevoked()
    {
        (Gateway.TimeToLive == Timeout.InfiniteTimeSpan || Gateway.TimeToLive > TimeSpan.Zero).ShouldBeTrue();
        await Gateway.EnterAsync("a", 5);
        var heartbeat = await Gateway.HeartbeatAsync();
        heartbeat.Alive.ShouldBeTrue();
        heartbeat.Revoked.ShouldBeEmpty();
    }

    [Fact]
    public async Task HeartbeatAsync_SessionThatNeverWas_HasEnded() =>
        (await Store.HeartbeatAsync("nobody", default)).Alive.ShouldBeFalse();

    [Fact]
    public async Task FindAsync_UnknownResource_IsNothing()
    {
        (await Gateway.FindAsync("a")).ShouldBeNull();
        Store.PeekMark(ConformanceGateway.Key("a")).ShouldBe(0);
        (await Store.CountAsync(default)).ShouldBe(0);
        (await Store.ListAsync(new MarkQuery("", long.MaxValue, 10), default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task SetMarkAsync_Higher_MakesOlderTokensStale()
    {
        await Gateway.EnterAsync("a", 5);
        (await Gateway.SetMarkAsync("a", 50)).ShouldBeTrue();
        (await Gateway.EnterAsync("a", 49)).ShouldBe(Stale(50));
        (await Gateway.EnterAsync("a", 50)).ShouldBe(Admitted(50));
    }

    [Fact]
    public async Task SetMarkAsync_Lower_AdmitsTokensAgain()
    {
        await Gateway.EnterAsync("a", 50);
        (await Gateway.SetMarkAsync("a", 7)).ShouldBeTrue();
        (await Gateway.MarkAsync("a")).ShouldBe(7);
        (await Gateway.EnterAsync("a", 6)).ShouldBe(Stale(7));
        (await Gateway.EnterAsync("a", 7)).ShouldBe(Admitted(7));
        (await Gateway.EnterAsync("a", 8)).ShouldBe(Admitted(8));
    }

    [Fact]
    public async Task SetMarkAsync_Zero_ForgetsTokensButKeepsTheResource()
    {
        await Gateway.EnterAsync("a", 50);
        (await Gateway.SetMarkAsync("a", 0)).ShouldBeTrue();
        (await Gateway.FindAsync("a"))!.Value.Mark.ShouldBe(0);
        (await Store.CountAsync(default)).ShouldBe(1);
        (await Gateway.EnterAsync("a", 1)).ShouldBe(Admitted(1));
    }

    [Fact]
    public async Task SetMarkAsync_UnknownResource_MakesIt()
    {
        (await Gateway.SetMarkAsync("a", long.MaxValue, reason: "it's \"so\"; DROP TABLE – 日本 \\")).ShouldBeTrue();
        (await Gateway.MarkAsync("a")).ShouldBe(long.MaxValue);
    }

    [Fact]
    public async Task SetMarkAsync_NegativeMarkOrLongReason_IsRefused()
    {
        await Should.ThrowAsync<ArgumentException>(() => Gateway.SetMarkAsync("a", -1));
        await Should.ThrowAsync<ArgumentException>(
            () => Gateway.SetMarkAsync("a", 1, reason: new string('x', SetMarkRequest.MaxTextLength + 1)));
        (await Gateway.SetMarkAsync("a", 1, reason: new string('é', SetMarkRequest.MaxTextLength))).ShouldBeTrue();
    }

    [Fact]
    public async Task SetMarkAsync_HoldOutOfBounds_IsRefusedAndChangesNothing()
    {
        foreach (var hold in (long[])[-1, TimeSpan.TicksPerDay + 1])
        {
            var refused = await Should.ThrowAsync<ArgumentException>(
                () => Gateway.SetMarkAsync("a", 5, TimeSpan.FromTicks(hold)));
            refused.Message.ShouldContain("0 to 24 hours");
            (await Gateway.FindAsync("a")).ShouldBeNull();
        }

        (await Gateway.SetMarkAsync("a", 5, EnterRequest.LongestHold)).ShouldBeTrue();
    }

    [Fact]
    public async Task ResolveAsync_NothingLeftByEndedSessions_IsZero()
    {
        (await Gateway.ResolveAsync("a")).ShouldBe(0);
        await Gateway.EnterAsync("a", 5);
        (await Gateway.ResolveAsync("a")).ShouldBe(0);
    }

    [Fact]
    public async Task ListAsync_Pages_AreTheMostRecentFirstAndComplete()
    {
        for (var i = 1; i <= 25; i++)
        {
            await Gateway.EnterAsync($"orders/{i}", 1);
            await Gateway.EnterAsync($"other/{i}", 1);
        }

        await Gateway.EnterAsync("orders/3", 2);
        var seen = new List<MarkRecord>();
        for (var before = long.MaxValue; ;)
        {
            var page = await Store.ListAsync(new MarkQuery("orders/", before, 10), default);
            page.Count.ShouldBeLessThanOrEqualTo(10);
            if (page.Count == 0)
            {
                break;
            }

            seen.AddRange(page);
            before = page[^1].Sequence;
        }

        (seen[0].Resource.Value, seen[0].Mark).ShouldBe(("orders/3", 2));
        var sequences = seen.Select(r => r.Sequence).ToArray();
        sequences.ShouldBe(sequences.Distinct().OrderDescending());
        seen.Select(r => r.Resource.Value).Order().ShouldBe(Enumerable.Range(1, 25).Select(i => $"orders/{i}").Order());
        (await Store.CountAsync(default)).ShouldBe(50);
    }

    [Fact]
    public async Task ListAsync_WhileResourcesAdvance_PagesAreFull()
    {
        for (var i = 0; i < 12; i++)
        {
            await Gateway.EnterAsync($"r{i}", 1);
        }

        var advancing = Task.Run(async () =>
        {
            for (var i = 0; i < 60; i++)
            {
                await Gateway.EnterAsync($"r{i % 12}", 2 + (i / 12));
            }
        });
        do
        {
            var page = await Store.ListAsync(new MarkQuery("r", long.MaxValue, 10), default);
            page.Select(r => r.Resource.Value).Distinct().Count().ShouldBe(10);
            page.Select(r => r.Sequence).ShouldBe(page.Select(r => r.Sequence).OrderDescending());
        }
        while (!advancing.IsCompleted);
        await advancing;
    }

    [Fact]
    public async Task ListAsync_PrefixWithAMeaningElsewhere_IsTakenAsItIs()
    {
        string[] prefixes = ["a%", "a_", "a*", "a?", "a[b]", "a\\", "A", "é", "a "];
        string[] others = ["abc", "ab", "e\u0301", "xa%"];
        foreach (var key in prefixes.SelectMany(prefix => (string[])[prefix, prefix + "/1"]).Concat(others))
        {
            await Gateway.EnterAsync(key, 1);
        }

        foreach (var prefix in prefixes)
        {
            (await Store.ListAsync(new MarkQuery(prefix, long.MaxValue, 10), default))
                .Select(r => r.Resource.Value).ShouldBe([prefix + "/1", prefix], prefix);
        }
    }

    [Fact]
    public async Task ListAsync_LimitOutOfBounds_IsRefused() =>
        await Should.ThrowAsync<ArgumentOutOfRangeException>(
            async () => await Store.ListAsync(new MarkQuery("", long.MaxValue, 0), default));

    [Fact]
    public async Task DisposeAsync_OpenStore_RefusesFromThenOn()
    {
        Store.Fault.ShouldBeNull();
        await Gateway.EnterAsync("a", 5);
        await Store.DisposeAsync();
        await Store.DisposeAsync();
        await ExpectRefusesAsync(Gateway);
    }

    [Fact]
    public async Task EnterAsync_BeforeOpen_IsRefusedAndCertainlyNotTaken()
    {
        var closed = new ConformanceGateway(Track(CreateStore()));
        await ExpectRefusesAsync(closed);
        var refusal = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await closed.Store.EnterAsync(Gateway.Request("a", 5), default));
        refusal.NotTaken.ShouldBeTrue();
    }

    [Fact]
    public async Task OpenAsync_DataOfAStoreThatIsGone_HasItsMarks()
    {
        await Gateway.EnterAsync("a", 5);
        await Gateway.EnterAsync("b", 7);
        await Gateway.SetMarkAsync("b", 3);
        await Gateway.EndSessionAsync(isClean: true);
        await Store.DisposeAsync();

        var later = await OpenAsync();
        (await later.MarkAsync("a")).ShouldBe(5);
        (await later.EnterAsync("a", 4)).ShouldBe(Stale(5));
        (await later.EnterAsync("b", 4)).ShouldBe(Admitted(4));
        (await later.Store.CountAsync(default)).ShouldBe(2);
    }

    [Fact]
    public async Task Operations_RandomSequenceOfOneSession_EqualThePureStateMachine() =>
        await new RandomSeed().RunAsync(async random =>
        {
            var walk = new RandomWalk([Gateway], random, SettleAsync);
            for (var i = 0; i < RandomSteps; i++)
            {
                await walk.StepAsync(oneSession: true);
            }

            await walk.ExpectListingAsync();
        });

    /// <summary>
    /// Makes a store that is not open, on the data of this test. All that one test makes share these data; no two tests
    /// do. A store for one gateway is made again only after the one before was disposed of, or is never opened.
    /// </summary>
    protected abstract TStore CreateStore();

    /// <summary>Waits for what a step leaves to be done behind its answer, where a store does.</summary>
    protected virtual Task SettleAsync() => Task.CompletedTask;

    /// <summary>Makes a place for the data of this test, empty.</summary>
    protected virtual ValueTask PrepareAsync() => ValueTask.CompletedTask;

    /// <summary>Takes away what the test left, after its stores were disposed of.</summary>
    protected virtual ValueTask CleanUpAsync() => ValueTask.CompletedTask;

    /// <summary>One more gateway on the data of this test, with a session.</summary>
    protected async Task<ConformanceGateway> OpenAsync(TimeSpan? timeToLive = null)
    {
        var gateway = new ConformanceGateway(Track(CreateStore()));
        await gateway.Store.OpenAsync(default);
        await gateway.StartSessionAsync(timeToLive);
        return gateway;
    }

    private protected static EnterReply Admitted(long mark) => new(EnterStatus.Admitted, new FencingToken(mark));

    private protected static EnterReply Draining(long mark, bool elsewhere = false) =>
        new(EnterStatus.Draining, new FencingToken(mark), HeldElsewhere: elsewhere);

    private protected static EnterReply Stale(long mark) => new(EnterStatus.Stale, new FencingToken(mark));

    private protected static async Task ExpectRefusesAsync(ConformanceGateway gateway)
    {
        gateway.Store.Fault.ShouldNotBeNullOrEmpty();
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.StartSessionAsync());
        await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await gateway.Store.EnterAsync(gateway.Request("a", 6) with { Session = "s" }, default));
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.SetMarkAsync("a", 6));
    }

    private TStore Track(TStore store)
    {
        _stores.Add(store);
        return store;
    }
}
