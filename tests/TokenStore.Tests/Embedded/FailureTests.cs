using FenceGateway.DurableLog.Tests;
using FenceGateway.Fencing;
using FenceGateway.TokenStore.Embedded;

namespace FenceGateway.TokenStore.Tests.Embedded;

public sealed class FailureTests : IDisposable
{
    private static readonly IOException Full = new("No space left on device");

    private readonly TestFolder _folder = new();
    private readonly FaultyDisk _disk = new();

    public void Dispose()
    {
        _disk.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(40)]
    public async Task EnterAsync_DiskFull_RefusesAndRecoversWithoutRestart(int partialWrite)
    {
        await using (var store = await _folder.OpenAsync(_disk))
        {
            await store.Enter("a", 5);
            _disk.PartialWrite = partialWrite;
            _disk.WriteFault = Full;
            (await Refused(store, "a", 6)).Message.ShouldContain("No space left");
            store.Fault.ShouldNotBeNull();

            await Retry(store, expectSuccess: false);
            store.Fault.ShouldNotBeNull();

            _disk.WriteFault = null;
            await Retry(store, expectSuccess: true);
            store.Fault.ShouldBeNull();

            // The refused raise was kept and is durable now: 5 stays stale, 6 goes on.
            store.Peek("a").ShouldBe(6);
            (await store.Status("a", 5)).ShouldBe(EnterStatus.Stale);
            (await store.Status("a", 6)).ShouldBe(EnterStatus.Admitted);
            (await store.Status("a", 7)).ShouldBe(EnterStatus.Admitted);
        }

        await using var again = await _folder.OpenAsync();
        again.Peek("a").ShouldBe(7);
        _folder.Files("*.torn").ShouldBeEmpty();
        _folder.Logger.Entries.Count(e => e.Id == 2004).ShouldBe(1, "one report for an outage, not one a second");
        _folder.Logger.Entries.ShouldContain(e => e.Id == 2005);
    }

    [Fact]
    public async Task EnterAsync_WhileFaulted_AnswersOnlyWhatIsDurablyStale()
    {
        await using var store = await _folder.OpenAsync(_disk);
        await store.Enter("a", 5);
        await store.Enter("b", 5);
        _disk.WriteFault = Full;
        await Refused(store, "a", 6);

        (await store.Status("b", 4)).ShouldBe(EnterStatus.Stale);
        await Refused(store, "b", 5);
        await Refused(store, "b", 6);
        await Refused(store, "new", 1);
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => store.SetMark("b", 9));

        // 6 is not durable: it witnesses nothing yet.
        await Refused(store, "a", 5);
        await Refused(store, "a", 6);
        store.Peek("a").ShouldBe(0);
        store.Peek("b").ShouldBe(5);
        (await store.ListAsync(new MarkQuery("", long.MaxValue, 10), default)).Single().Resource.Value.ShouldBe("b");
    }

    [Fact]
    public async Task EnterAsync_BatchBehindTheFailedOne_FailsAtOnceAndIsRetriedToo()
    {
        await using var store = await _folder.OpenAsync(_disk);
        var flushing = _disk.HoldFlushes();
        var first = store.Enter("a", 1);
        await flushing;
        var second = store.Enter("b", 1);
        var third = store.Enter("b", 2);
        _disk.WriteFault = Full;
        _disk.ReleaseFlushes();

        (await first).Status.ShouldBe(EnterStatus.Admitted);
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => second);
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => third);
        _disk.WriteFault = null;
        await Retry(store, expectSuccess: true);
        store.Fault.ShouldBeNull();
        store.Peek("b").ShouldBe(2);
    }

    [Fact]
    public async Task EnterAsync_FlushFailed_RefusesUntilRestartAndNeverFlushesAgain()
    {
        await using (var store = await _folder.OpenAsync(_disk))
        {
            await store.Enter("a", 5);
            await store.Enter("b", 5);
            _disk.FlushFault = new IOException("Input/output error");
            (await Refused(store, "a", 6)).Message.ShouldContain("Input/output error");
            _disk.FlushFault = null;
            _folder.Clock.Advance(TimeSpan.FromMinutes(1));

            store.Fault.ShouldNotBeNull().ShouldContain("restart");
            await Refused(store, "a", 5);
            await Refused(store, "a", 6);
            (await store.Status("b", 4)).ShouldBe(EnterStatus.Stale);
            await store.Close();
        }

        await using var again = await _folder.OpenAsync();
        again.Peek("a").ShouldBeOneOf(5, 6);
        (await again.Status("a", 4)).ShouldBe(EnterStatus.Stale);
        (await again.Status("a", 7)).ShouldBe(EnterStatus.Draining, "a stop after a failure is not clean");
    }

    [Fact]
    public async Task EnterAsync_HigherMarkNotDurableYet_AnswersNothingBeforeItIs()
    {
        await using var store = await _folder.OpenAsync(_disk);
        await store.Enter("a", 5);
        var flushing = _disk.HoldFlushes();
        var raise = store.Enter("a", 7);
        await flushing;
        var same = store.Enter("a", 7);
        var stale = store.Enter("a", 6);

        raise.IsCompleted.ShouldBeFalse();
        same.IsCompleted.ShouldBeFalse();
        stale.IsCompleted.ShouldBeFalse();
        store.Peek("a").ShouldBe(0);
        var find = store.FindAsync(StoreExtensions.Key("a"), default).AsTask();
        find.IsCompleted.ShouldBeFalse();

        _disk.ReleaseFlushes();
        (await raise).Status.ShouldBe(EnterStatus.Admitted);
        (await same).Status.ShouldBe(EnterStatus.Admitted);
        (await stale).ShouldBe(new EnterReply(EnterStatus.Stale, new FencingToken(7)));
        (await find)!.Value.Mark.ShouldBe(7);
    }

    [Fact]
    public async Task EnterAsync_BacklogFull_RefusesRaisesAndKeepsSteadyTokens()
    {
        _folder.Options.MaxPendingBytes = 200;
        await using var store = await _folder.OpenAsync(_disk);
        await store.Enter("a", 1);
        var flushing = _disk.HoldFlushes();
        var first = store.Enter("b", 1);
        await flushing;
        var waiting = Enumerable.Range(1, 20).Select(i => (Token: i, Task: store.Enter("c", i))).ToList();
        waiting.Count(w => w.Task.IsFaulted).ShouldBe(14);
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => waiting[^1].Task)).Message.ShouldContain(
            "backlog");
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => store.Enter("new", 1))).Message.ShouldContain(
            "backlog");
        (await store.Status("a", 1)).ShouldBe(EnterStatus.Admitted);
        store.Fault.ShouldBeNull();
        store.Count.ShouldBe(3, "what was refused has taken no place");

        _disk.ReleaseFlushes();
        await first;
        (await waiting[5].Task).Status.ShouldBe(EnterStatus.Admitted);
        (await store.Status("new", 1)).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EnterAsync_CallerGivesUp_LeavesTheRaiseToFinish()
    {
        await using var store = await _folder.OpenAsync(_disk);
        var flushing = _disk.HoldFlushes();
        using var cancel = new CancellationTokenSource();
        var raise = store.EnterAsync(
            new EnterRequest(
                StoreExtensions.Session, StoreExtensions.Key("a"), new FencingToken(3), new FencingToken(3), 1,
                default), cancel.Token).AsTask();
        await flushing;
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => raise);
        _disk.ReleaseFlushes();
        (await store.Status("a", 2)).ShouldBe(EnterStatus.Stale);
    }

    [Fact]
    public async Task EnterAsync_MaxResources_RefusesNewOnesOnlyAlsoAfterRestart()
    {
        _folder.Options.MaxResources = 2;
        await using (var store = await _folder.OpenAsync())
        {
            await store.Enter("a", 1);
            await store.Enter("b", 1);
            (await Refused(store, "c", 1)).Message.ShouldContain("MaxResources");
            await store.Enter("a", 2);
            store.Fault.ShouldBeNull();
        }

        _folder.Options.MaxResources = 1;
        await using var again = await _folder.OpenAsync();
        again.Count.ShouldBe(2, "marks are never dropped");
        await Refused(again, "c", 1);
        _folder.Logger.Entries.ShouldContain(e => e.Id == 2011);
    }

    [Fact]
    public async Task OpenAsync_DiskFull_SaysSoAndLetsGoOfTheFolder()
    {
        _disk.WriteFault = Full;
        (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await _folder.OpenAsync(_disk)))
            .Message.ShouldContain("No space left");
        await using var store = await _folder.OpenAsync();
        store.Fault.ShouldBeNull();
    }

    [Fact]
    public async Task CloseAsync_RaiseUnderWay_IsMadeDurableFirst()
    {
        Task<EnterReply> raise;
        await using (var store = await _folder.OpenAsync(_disk))
        {
            var flushing = _disk.HoldFlushes();
            var first = store.Enter("a", 1);
            await flushing;
            raise = store.Enter("b", 1);
            var close = store.Close();
            _disk.ReleaseFlushes();
            await close;
            await first;
        }

        (await raise).Status.ShouldBe(EnterStatus.Admitted);
        await using var again = await _folder.OpenAsync();
        again.Peek("b").ShouldBe(1);
        (await again.Status("b", 2)).ShouldBe(EnterStatus.Admitted, "the stop was clean");
    }

    [Fact]
    public async Task EnterAsync_KeyWithHalfASurrogatePair_IsRefused()
    {
        await using var store = await _folder.OpenAsync();
        await Should.ThrowAsync<ArgumentException>(() => store.Enter("a\uD800", 1));
        store.Count.ShouldBe(0);
    }

    private static Task<TokenStoreUnavailableException> Refused(EmbeddedTokenStore store, string key, long token) =>
        Should.ThrowAsync<TokenStoreUnavailableException>(() => store.Enter(key, token));

    private async Task Retry(EmbeddedTokenStore store, bool expectSuccess)
    {
        var retried = store.Queue.NextTry();
        _folder.Clock.Advance(TimeSpan.FromSeconds(1));
        (await retried is null).ShouldBe(expectSuccess);
    }
}
