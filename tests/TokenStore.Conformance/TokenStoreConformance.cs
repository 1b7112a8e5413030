using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Conformance;

/// <summary>
/// What every token store has to do. A store's test class inherits this; a store is tested as one gateway uses it: one session,
/// one operation at a time per resource unless a test says otherwise.
/// </summary>
/// <typeparam name="TStore">The store under test.</typeparam>
public abstract class TokenStoreConformance<TStore> : IAsyncLifetime
    where TStore : class, ITokenStore
{
    private const string Session = "s";

    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(10);

    private TStore? _store;

    /// <summary>The store, open and empty.</summary>
    protected TStore Store => _store ?? throw new InvalidOperationException("Not initialised.");

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        _store = CreateStore();
        await _store.OpenAsync(default);
        await _store.StartSessionAsync(Session, TimeSpan.FromSeconds(5), default);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        CleanUp();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task EnterAsync_NewResource_IsAdmittedAndRaisesTheMark()
    {
        var reply = await Enter("orders/1", 5);
        reply.ShouldBe(new EnterReply(EnterStatus.Admitted, new FencingToken(5)));
        Store.PeekMark(Key("orders/1")).ShouldBe(5);
        (await Store.CountAsync(default)).ShouldBe(1);
    }

    [Fact]
    public async Task EnterAsync_SameToken_IsAdmittedAgainAndAtOnce()
    {
        await Enter("a", 5);
        var before = await Store.FindAsync(Key("a"), default);
        var second = Store.EnterAsync(Request("a", 5, 5), default).AsTask();
        second.IsCompletedSuccessfully.ShouldBeTrue();
        (await second).Status.ShouldBe(EnterStatus.Admitted);
        (await Store.FindAsync(Key("a"), default)).ShouldBe(before);
    }

    [Fact]
    public async Task EnterAsync_OlderToken_IsStaleWithTheMarkAsWitness()
    {
        await Enter("a", 5);
        (await Enter("a", 4)).ShouldBe(new EnterReply(EnterStatus.Stale, new FencingToken(5)));
        Store.PeekMark(Key("a")).ShouldBe(5);
    }

    [Fact]
    public async Task EnterAsync_OlderTokenAtOnce_IsAnsweredSynchronously()
    {
        await Enter("a", 5);
        Store.EnterAsync(Request("a", 4, 4), default).AsTask().IsCompletedSuccessfully.ShouldBeTrue();
    }

    [Fact]
    public async Task EnterAsync_OlderWriteInFlight_DrainsAndTheMarkIsRaisedAllTheSame()
    {
        await Enter("a", 5);
        (await Enter("a", 6, oldest: 5)).ShouldBe(new EnterReply(EnterStatus.Draining, new FencingToken(6)));
        Store.PeekMark(Key("a")).ShouldBe(6);
        (await Enter("a", 5)).Status.ShouldBe(EnterStatus.Stale);
    }

    [Fact]
    public async Task EnterAsync_AfterTheOlderWriteHasEnded_IsAdmitted()
    {
        await Enter("a", 5);
        await Enter("a", 6, oldest: 5);
        (await Enter("a", 6)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EnterAsync_LargestToken_IsAdmitted()
    {
        (await Enter("a", long.MaxValue)).Status.ShouldBe(EnterStatus.Admitted);
        (await Enter("a", long.MaxValue - 1)).Status.ShouldBe(EnterStatus.Stale);
    }

    [Fact]
    public async Task EnterAsync_OtherResource_IsNotAffected()
    {
        await Enter("a", 5);
        (await Enter("b", 1)).Status.ShouldBe(EnterStatus.Admitted);
        (await Enter("A", 1)).Status.ShouldBe(EnterStatus.Admitted);
        (await Store.CountAsync(default)).ShouldBe(3);
    }

    [Theory]
    [InlineData("é", "e\u0301")]
    [InlineData("𝕏/1", "𝕐/1")]
    [InlineData("a", "a ")]
    [InlineData("日本", "日本語")]
    public async Task EnterAsync_KeysThatLookAlike_AreDifferentResources(string one, string other)
    {
        await Enter(one, 5);
        Store.PeekMark(Key(other)).ShouldBe(0);
        (await Enter(other, 1)).Status.ShouldBe(EnterStatus.Admitted);
        (await Store.FindAsync(Key(one), default))!.Value.Resource.Value.ShouldBe(one);
    }

    [Fact]
    public async Task EnterAsync_LongestKey_Works()
    {
        var key = new string('x', ResourceKey.MaxBytes);
        await Enter(key, 5);
        Store.PeekMark(Key(key)).ShouldBe(5);
    }

    [Fact]
    public async Task EnterAsync_ConcurrentTokens_AnswerAsOneOrder()
    {
        var replies = await Task.WhenAll(Enumerable.Range(1, 500).Select(i => Task.Run(async () =>
            (Token: i, Reply: await Enter("a", i)))));
        Store.PeekMark(Key("a")).ShouldBe(500);
        foreach (var (token, reply) in replies)
        {
            (reply.Status == EnterStatus.Stale).ShouldBe(reply.Mark.Value > token, $"{token} {reply}");
        }
    }

    [Fact]
    public async Task EnterAsync_NoToken_IsRefusedAsACallersMistake() =>
        await Should.ThrowAsync<ArgumentException>(async () => await Store.EnterAsync(default, default));

    [Fact]
    public async Task PeekMark_UnknownResource_IsZero()
    {
        Store.PeekMark(Key("a")).ShouldBe(0);
        (await Store.FindAsync(Key("a"), default)).ShouldBeNull();
    }

    [Fact]
    public async Task SetMarkAsync_Higher_MakesOlderTokensStale()
    {
        await Enter("a", 5);
        await SetMark("a", 50);
        (await Enter("a", 49)).ShouldBe(new EnterReply(EnterStatus.Stale, new FencingToken(50)));
        (await Enter("a", 50)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task SetMarkAsync_Lower_AdmitsTokensAgain()
    {
        await Enter("a", 50);
        await SetMark("a", 7);
        (await Enter("a", 6)).Status.ShouldBe(EnterStatus.Stale);
        (await Enter("a", 7)).Status.ShouldBe(EnterStatus.Admitted);
        (await Enter("a", 8)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task SetMarkAsync_Zero_ForgetsTokensButKeepsTheResource()
    {
        await Enter("a", 50);
        await SetMark("a", 0);
        (await Store.FindAsync(Key("a"), default))!.Value.Mark.ShouldBe(0);
        (await Enter("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task SetMarkAsync_UnknownResource_MakesIt()
    {
        await SetMark("a", 9);
        Store.PeekMark(Key("a")).ShouldBe(9);
    }

    [Fact]
    public async Task SetMarkAsync_NegativeMarkOrLongReason_IsRefused()
    {
        await Should.ThrowAsync<ArgumentException>(() => SetMark("a", -1));
        var reason = new string('x', SetMarkRequest.MaxTextLength + 1);
        await Should.ThrowAsync<ArgumentException>(
            async () => await Store.SetMarkAsync(new SetMarkRequest(Session, Key("a"), 1, Hold, reason, "me"), default));
    }

    [Fact]
    public async Task ListAsync_Pages_AreTheMostRecentFirstAndComplete()
    {
        for (var i = 1; i <= 25; i++)
        {
            await Enter($"orders/{i}", 1);
            await Enter($"other/{i}", 1);
        }

        await Enter("orders/3", 2);
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

        seen[0].Resource.Value.ShouldBe("orders/3");
        seen[0].Mark.ShouldBe(2);
        seen.Select(r => r.Sequence).ShouldBe(seen.Select(r => r.Sequence).OrderDescending());
        seen.Select(r => r.Resource.Value).Order().ShouldBe(Enumerable.Range(1, 25).Select(i => $"orders/{i}").Order());
    }

    [Fact]
    public async Task ListAsync_LimitOutOfBounds_IsRefused() =>
        await Should.ThrowAsync<ArgumentOutOfRangeException>(
            async () => await Store.ListAsync(new MarkQuery("", long.MaxValue, 0), default));

    [Fact]
    public async Task Fault_OpenStore_IsNoneAndAfterCloseEverythingIsRefused()
    {
        Store.Fault.ShouldBeNull();
        await Enter("a", 5);
        await Store.EndSessionAsync(Session, quiet: true, default);
        Store.Fault.ShouldNotBeNull();
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => Enter("a", 6));
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => Enter("a", 5));
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => SetMark("a", 6));
    }

    [Fact]
    public async Task EnterAsync_BeforeOpen_IsRefused()
    {
        await using var closed = CreateStore();
        closed.Fault.ShouldNotBeNull();
        await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await closed.EnterAsync(Request("a", 1, 1), default));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Operations_RandomSequence_EqualThePureStateMachine(int seed)
    {
        var random = new Random(seed);
        var model = new Dictionary<string, ResourceState>(StringComparer.Ordinal);
        for (var i = 0; i < 2_000; i++)
        {
            var key = $"r/{random.Next(8)}";
            var state = model.TryGetValue(key, out var known) ? known : model[key] = new ResourceState();
            if (random.Next(20) == 0)
            {
                var mark = random.Next(0, 40);
                state.Withdraw("s");
                state.TrySetMark(mark, now: 0).ShouldBeTrue();
                await SetMark(key, mark);
            }
            else
            {
                var token = Math.Max(1, state.Mark + random.Next(-2, 3));
                var oldest = Math.Max(1, token - random.Next(3));
                var expected = state.Enter("s", token, oldest, now: 0);
                (await Enter(key, token, oldest)).ShouldBe(new EnterReply(expected, new FencingToken(state.Mark)), $"step {i}");
            }

            Store.PeekMark(Key(key)).ShouldBe(state.Mark, $"step {i}");
        }

        (await Store.ListAsync(new MarkQuery("", long.MaxValue, 1000), default))
            .ToDictionary(r => r.Resource.Value, r => r.Mark, StringComparer.Ordinal)
            .ShouldBe(model.ToDictionary(m => m.Key, m => m.Value.Mark, StringComparer.Ordinal), ignoreOrder: true);
    }

    /// <summary>Makes a store that knows nothing.</summary>
    protected abstract TStore CreateStore();

    /// <summary>Takes away what the stores left.</summary>
    protected virtual void CleanUp()
    {
    }

    protected static ResourceKey Key(string text) =>
        ResourceKey.TryCreate(text, out var key) ? key : throw new ArgumentException("Not a key.", nameof(text));

    protected static EnterRequest Request(string key, long token, long oldest) =>
        new(Session, Key(key), new FencingToken(token), new FencingToken(oldest), 1, Hold);

    protected async Task<EnterReply> Enter(string key, long token, long? oldest = null) =>
        await Store.EnterAsync(Request(key, token, oldest ?? token), default);

    private async Task SetMark(string key, long mark) =>
        await Store.SetMarkAsync(new SetMarkRequest(Session, Key(key), mark, Hold, "a reason", "somebody"), default);
}
