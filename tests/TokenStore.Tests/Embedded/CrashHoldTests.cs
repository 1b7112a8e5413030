using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Tests.Embedded;

public sealed class CrashHoldTests : IDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task EnterAsync_RecoveredTokenAfterCrash_IsAdmittedAtOnce()
    {
        await Crashed(("a", 5));
        await using var store = await _folder.OpenAsync();
        (await store.Status("a", 5)).ShouldBe(EnterStatus.Admitted);
        (await store.Status("a", 4)).ShouldBe(EnterStatus.Stale);
    }

    [Fact]
    public async Task EnterAsync_NewerTokenAfterCrash_WaitsForTheHoldAndIsDurableMeanwhile()
    {
        await Crashed(("a", 5));
        await using var store = await _folder.OpenAsync();
        _folder.Clock.Advance(3 * Second);
        (await store.Enter("a", 6)).ShouldBe(new EnterReply(EnterStatus.Draining, new FencingToken(6), 7 * Second));
        store.Peek("a").ShouldBe(6);
        (await store.Status("a", 5)).ShouldBe(EnterStatus.Stale);

        _folder.Clock.Advance(7 * Second);
        (await store.Enter("a", 6)).ShouldBe(new EnterReply(EnterStatus.Admitted, new FencingToken(6)));
    }

    [Fact]
    public async Task EnterAsync_SealedTokenAgainWithinTheHold_KeepsWaiting()
    {
        await Crashed(("a", 5));
        await using var store = await _folder.OpenAsync();
        (await store.Status("a", 6)).ShouldBe(EnterStatus.Draining);
        (await store.Enter("a", 6)).RetryAfter.ShouldBe(10 * Second);
        (await store.Status("a", 7)).ShouldBe(EnterStatus.Draining);
        (await store.Status("a", 7)).ShouldBe(EnterStatus.Draining);
        _folder.Clock.Advance(10 * Second);
        (await store.Status("a", 6)).ShouldBe(EnterStatus.Stale);
        (await store.Status("a", 7)).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EnterAsync_MarkRaisedWhileOlderWritesWereInFlight_WaitsAfterCrashEvenWithItsOwnToken()
    {
        // 5 was in flight when 6 raised the mark: the crash may have left 5 in flight, and 6 was never admitted.
        await using (var first = await _folder.OpenAsync())
        {
            await first.Enter("a", 5);
            (await first.Status("a", 6, oldest: 5)).ShouldBe(EnterStatus.Draining);
        }

        await using var store = await _folder.OpenAsync();
        (await store.Enter("a", 6)).ShouldBe(new EnterReply(EnterStatus.Draining, new FencingToken(6), 10 * Second));
        _folder.Clock.Advance(10 * Second);
        (await store.Status("a", 6)).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EnterAsync_SecondCrashWithinTheHold_HoldsTheSealedTokenAnew()
    {
        await Crashed(("a", 5));
        await using (var second = await _folder.OpenAsync())
        {
            (await second.Status("a", 6)).ShouldBe(EnterStatus.Draining);
            _folder.Clock.Advance(9 * Second);
        }

        await using var store = await _folder.OpenAsync();
        (await store.Enter("a", 6)).RetryAfter.ShouldBe(10 * Second);
    }

    [Fact]
    public async Task EnterAsync_CleanStopWithinTheHold_ServesTheRestOfIt()
    {
        await Crashed(("a", 5));
        await using (var second = await _folder.OpenAsync())
        {
            _folder.Clock.Advance(4 * Second);
            await second.Close();
        }

        _folder.Clock.Advance(TimeSpan.FromHours(1));
        await using var store = await _folder.OpenAsync();
        (await store.Enter("a", 6)).RetryAfter.ShouldBe(6 * Second);
        _folder.Clock.Advance(6 * Second);
        (await store.Status("a", 6)).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EnterAsync_AfterCleanStop_IsNotHeld()
    {
        await using (var first = await _folder.OpenAsync())
        {
            await first.Enter("a", 5);
            await first.Enter("a", 6, oldest: 5);
            await first.Close();
        }

        await using var store = await _folder.OpenAsync();
        (await store.Status("a", 6)).ShouldBe(EnterStatus.Admitted);
        (await store.Status("a", 7)).ShouldBe(EnterStatus.Admitted);
        _folder.Logger.Entries.ShouldNotContain(e => e.Id == 2002);
    }

    [Fact]
    public async Task EnterAsync_AfterStopThatWasNotQuiet_IsHeld()
    {
        await using (var first = await _folder.OpenAsync())
        {
            await first.Enter("a", 5);
            await first.Close(isClean: false);
        }

        await using var store = await _folder.OpenAsync();
        (await store.Status("a", 6)).ShouldBe(EnterStatus.Draining);
        _folder.Logger.Entries.ShouldContain(e => e.Id == 2002);
    }

    [Fact]
    public async Task OpenAsync_CrashRightAfterCleanStart_IsUnclean()
    {
        await using (var first = await _folder.OpenAsync())
        {
            await first.Enter("a", 5);
            await first.Close();
        }

        // Nothing is written in this life: its start alone has to use the clean stop up.
        await (await _folder.OpenAsync()).DisposeAsync();
        await using var store = await _folder.OpenAsync();
        (await store.Status("a", 6)).ShouldBe(EnterStatus.Draining);
    }

    [Fact]
    public async Task EnterAsync_ResourceUnknownBeforeTheCrash_IsNotHeld()
    {
        await Crashed(("a", 5));
        await using var store = await _folder.OpenAsync();
        (await store.Status("b", 1)).ShouldBe(EnterStatus.Admitted);
        (await store.Status("b", 2)).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EnterAsync_MarkSetWithinTheHold_KeepsWaiting()
    {
        await Crashed(("a", 5));
        await using var store = await _folder.OpenAsync();
        await store.SetMark("a", 3);
        (await store.Status("a", 3)).ShouldBe(EnterStatus.Draining);
        _folder.Clock.Advance(10 * Second);
        (await store.Status("a", 3)).ShouldBe(EnterStatus.Admitted);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(long.MaxValue)]
    public async Task SetMarkAsync_WritesOfTheProcessBeforeMayBeOnTheirWay_ChangesNothingBeforeTheHoldHasPassed(
        long mark)
    {
        await Crashed(("a", mark));
        await using var store = await _folder.OpenAsync();
        (await store.SetMark("a", 3, hold: 10 * Second)).ShouldBeFalse();
        _folder.Clock.Advance(10 * Second);
        (await store.SetMark("a", 3, hold: 10 * Second)).ShouldBeTrue();
    }

    [Fact]
    public async Task EnterAsync_NoHoldAskedFor_IsNotHeld()
    {
        await Crashed(("a", 5));
        await using var store = await _folder.OpenAsync();
        (await store.Enter("a", 6, hold: TimeSpan.Zero)).Status.ShouldBe(EnterStatus.Admitted);
    }

    private async Task Crashed(params (string Key, long Token)[] marks)
    {
        await using var store = await _folder.OpenAsync();
        foreach (var (key, token) in marks)
        {
            await store.Enter(key, token);
        }
    }
}
