using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using static FenceGateway.TokenStore.Conformance.SharedScript;

namespace FenceGateway.TokenStore.Tests.Sessions;

/// <summary>How long this gateway counts on its session, and what it does when the store is away.</summary>
public sealed class StoreClientTests : IAsyncDisposable
{
    public ValueTask DisposeAsync() => _store.DisposeAsync();

    private static readonly TimeSpan Margin = TimeToLive / 10;
    private static readonly TimeSpan Beat = TimeToLive / 3;
    private static readonly TokenStoreUnavailableException Gone = new("The server is gone.");

    private readonly ManualTimeProvider _time = new();
    private readonly SharedScript _store = new();

    [Fact]
    public async Task OpenAsync_SharedStore_SessionLivesATenthShorterThanInTheStore()
    {
        await using var session = TestSession.Open(_store, _time);
        _store.Started.ShouldBe([session.Current!.Id]);
        session.Fault.ShouldBeNull();
        _store.Away = Gone;
        _time.Advance(TimeToLive - Margin - TimeSpan.FromTicks(1));
        session.Current.IsAlive.ShouldBeTrue();
        _time.Advance(TimeSpan.FromTicks(1));
        session.Current.IsAlive.ShouldBeFalse();
        session.Fault.ShouldNotBeNull();
    }

    [Fact]
    public async Task IsAliveByEveryClock_MachineWasSuspended_IsFalseUntilAHeartbeatIsAnswered()
    {
        await using var session = TestSession.Open(_store, _time);
        session.Current!.IsAliveByEveryClock.ShouldBeTrue();
        _time.DayShift = -TimeToLive;
        session.Current.IsAliveByEveryClock.ShouldBeTrue("a clock that is set back is not believed");
        _time.DayShift = TimeToLive - Margin;
        session.Current.IsAlive.ShouldBeTrue("the monotonic clock stood still");
        session.Current.IsAliveByEveryClock.ShouldBeFalse();
        await BeatAsync();
        await EventuallyAsync(() => session.Current.IsAliveByEveryClock, "the next heartbeat");
    }

    [Fact]
    public async Task Heartbeat_Answered_ProlongsFromWhenItWasSent()
    {
        var answer = new TaskCompletionSource<Heartbeat>();
        await using var session = TestSession.Open(_store, _time);
        _store.Heartbeat = () => answer.Task;
        await BeatAsync();
        _time.Advance(TimeSpan.FromSeconds(1));
        answer.SetResult(new Heartbeat(true, []));
        var expected = TimeToLive - Margin - TimeSpan.FromSeconds(1);
        await EventuallyAsync(() => session.Current!.Remaining > expected - TimeSpan.FromMilliseconds(10), "prolonged");
        session.Current!.Remaining!.Value.ShouldBeLessThan(expected + TimeSpan.FromMilliseconds(10));
    }

    [Fact]
    public async Task Heartbeat_AnsweredAfterTheEnd_RevivesNothing()
    {
        var answer = new TaskCompletionSource<Heartbeat>();
        await using var session = TestSession.Open(_store, _time, new StoreClientOptions { TimeToLive = TimeToLive });
        var first = session.Current!;
        _store.Heartbeat = () => answer.Task;
        await BeatAsync();
        _time.Advance(TimeToLive);
        answer.SetResult(new Heartbeat(true, []));
        await EventuallyAsync(() => session.Current != first, "another session");
        first.IsAlive.ShouldBeFalse();
        first.Ended.IsCancellationRequested.ShouldBeTrue();
        session.Current!.Id.ShouldNotBe(first.Id);
    }

    [Fact]
    public async Task Heartbeat_StoreHasEndedTheSession_EndsHereAtOnceAndStartsAnother()
    {
        await using var session = TestSession.Open(_store, _time);
        var first = session.Current!;
        var replaced = new TaskCompletionSource<GatewaySession>();
        session.Replaced += replaced.SetResult;
        _store.Heartbeat = () => Task.FromResult(Heartbeat.Ended);
        await BeatAsync();
        (await replaced.Task.WithinLimit("replaced")).ShouldBeSameAs(first);
        first.Ended.IsCancellationRequested.ShouldBeTrue();
        session.Current!.IsAlive.ShouldBeTrue();
    }

    [Fact]
    public async Task EnterAsync_StoreSaysTheSessionHasEnded_EndsItHereToo()
    {
        await using var session = TestSession.Open(_store, _time);
        var first = session.Current!;
        var entering = session.EnterAsync(first, Request(first)).AsTask();
        await _store.FailAsync(sessionEnded: true);
        (await Should.ThrowAsync<TokenStoreUnavailableException>(entering)).NotTaken.ShouldBeTrue();
        first.IsAlive.ShouldBeFalse();
    }

    [Fact]
    public async Task EnterAsync_SessionHasEnded_IsRefusedWithoutACall()
    {
        await using var session = TestSession.Open(_store, _time);
        var first = session.Current!;
        _store.Away = Gone;
        _time.Advance(TimeToLive);
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            session.EnterAsync(first, Request(first)).AsTask());
        refused.NotTaken.ShouldBeTrue();
        _store.Entered.ShouldBeEmpty();
    }

    [Fact]
    public async Task EnterAsync_NoAnswer_EndsWithinTheBoundAsUnknown()
    {
        await using var session = TestSession.Open(_store, _time);
        var entering = session.EnterAsync(session.Current, Request(session.Current!)).AsTask();
        await _time.WaitForTimerAsync(TimeSpan.FromSeconds(2));
        _time.Advance(TimeSpan.FromSeconds(2));
        (await Should.ThrowAsync<TokenStoreUnavailableException>(entering)).NotTaken.ShouldBeFalse();
    }

    [Fact]
    public async Task EnterAsync_RefusedByTheStore_IsNoSignOfItsAbsence()
    {
        await using var session = TestSession.Open(_store, _time);
        await FailEntersAsync(session, 6, notTaken: true);
        _store.Entered.Count.ShouldBe(6);
        session.Fault.ShouldBeNull();
    }

    [Fact]
    public async Task Heartbeats_ThatCannotEvenBeSent_AreASignOfTheStoresAbsence()
    {
        await using var session = TestSession.Open(_store, _time);
        _store.Heartbeat = () => throw new TokenStoreUnavailableException("refused") { NotTaken = true };
        await BeatAsync();
        for (var failed = 1; failed < 5; failed++)
        {
            await _time.WaitForTimerWithinAsync(TimeSpan.FromSeconds(1));
            session.Fault.ShouldBeNull();
            var before = _store.Heartbeats;
            _time.Advance(_time.NextTimer!.Value);
            await EventuallyAsync(() => _store.Heartbeats > before, "the next heartbeat");
        }

        await EventuallyAsync(() => session.Fault is not null, "the fifth failure");
        session.Fault.ShouldBe("refused");
        session.Current!.IsAlive.ShouldBeTrue("what was entered goes on");
    }

    [Fact]
    public async Task Operators_WhoseCallsFail_DoNotKeepOthersFromTheStore()
    {
        await using var session = TestSession.Open(_store, _time);
        _store.Away = Gone;
        for (var i = 0; i < 6; i++)
        {
            await Should.ThrowAsync<TokenStoreUnavailableException>(
                async () => await session.CountAsync(CancellationToken.None));
        }

        session.Fault.ShouldBeNull();
    }

    [Fact]
    public async Task WithdrawAsync_AfterFiveEntersWithoutAnAnswer_GoesOutAndLetsOthersThrough()
    {
        await using var session = TestSession.Open(_store, _time);
        await FailEntersAsync(session, 5);
        session.Fault.ShouldNotBeNull();
        await session.WithdrawAsync(session.Current!.Id, []);
        _store.Withdrawn.Count.ShouldBe(1);
        session.Fault.ShouldBeNull();
    }

    [Fact]
    public async Task EnterAsync_AfterFiveWithoutAnAnswer_IsRefusedUntilAHeartbeatGetsThrough()
    {
        await using var session = TestSession.Open(_store, _time);
        await FailEntersAsync(session, 5);

        session.Fault.ShouldBe("lost");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            session.EnterAsync(session.Current, Request(session.Current!)).AsTask());
        refused.NotTaken.ShouldBeTrue();
        _store.Entered.Count.ShouldBe(5);

        await BeatAsync();
        await EventuallyAsync(() => session.Fault is null, "let through");
    }

    [Fact]
    public async Task OpenAsync_StoreAway_FailsOrIsWaitedFor()
    {
        _store.Away = Gone;
        await using (var impatient = TestSession.Make(_store, _time))
        {
            await Should.ThrowAsync<TokenStoreUnavailableException>(
                async () => await impatient.OpenAsync(CancellationToken.None));
        }

        await using var session = TestSession.Make(_store, _time, new StoreClientOptions { WaitForStore = true });
        await session.OpenAsync(CancellationToken.None);
        session.Fault.ShouldBe(Gone.Message);
        _store.Away = null;
        await EventuallyAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(20));
                return session.Fault is null;
            },
            "it recovers by itself");
        _store.Started.Count.ShouldBe(1);
    }

    [Fact]
    public async Task OpenAsync_GradeBelowTheRequired_IsRefusedWithTheReasons()
    {
        _store.Grade = SafetyGrade.BestEffort;
        await using var session = TestSession.Make(
            _store, _time, new StoreClientOptions { RequireGrade = SafetyGrade.Single, WaitForStore = true });
        var refused = await Should.ThrowAsync<SafetyGradeException>(
            async () => await session.OpenAsync(CancellationToken.None));
        refused.Message.ShouldContain("BestEffort");
        refused.Message.ShouldContain("its settings are weak: change them");
        session.Current.ShouldBeNull();
    }

    [Fact]
    public async Task Session_LostWhileTheGradeHasSunk_IsNotReplaced()
    {
        await using var session = TestSession.Open(
            _store, _time, new StoreClientOptions { RequireGrade = SafetyGrade.Strict });
        _store.Grade = SafetyGrade.Single;
        _store.Heartbeat = () => Task.FromResult(Heartbeat.Ended);
        await BeatAsync();
        await EventuallyAsync(
            () => session.Fault?.Contains("RequireGrade", StringComparison.Ordinal) == true, "it says why");
        _store.Started.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task CloseAsync_LivingSession_EndsItInTheStoreOnce(bool isClean)
    {
        var session = TestSession.Open(_store, _time);
        var id = session.Current!.Id;
        await session.CloseAsync(isClean);
        await session.DisposeAsync();
        _store.Ended.ShouldBe([(id, isClean)]);
        _store.IsDisposed.ShouldBeTrue();
        session.Current.IsAlive.ShouldBeFalse();
        session.Fault.ShouldNotBeNull();
    }

    [Fact]
    public async Task Calls_WhateverAStoreThrows_AreUnavailable()
    {
        await using var session = TestSession.Open(_store, _time);
        _store.Away = new InvalidOperationException("a bug");
        (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await session.CountAsync(CancellationToken.None)))
            .Message.ShouldContain("a bug");
    }

    private async Task FailEntersAsync(StoreClient session, int count, bool notTaken = false)
    {
        for (var i = 0; i < count; i++)
        {
            var failing = session.EnterAsync(session.Current, Request(session.Current!)).AsTask();
            await _store.FailAsync(notTaken);
            await Should.ThrowAsync<TokenStoreUnavailableException>(failing);
        }
    }

    private async Task BeatAsync()
    {
        var before = _store.Heartbeats;
        await _time.WaitForTimerWithinAsync(Beat + TimeSpan.FromMilliseconds(1));
        _time.Advance(Beat + TimeSpan.FromMilliseconds(1));
        await EventuallyAsync(() => _store.Heartbeats > before, "a heartbeat");
    }

    private static EnterRequest Request(GatewaySession session)
    {
        ResourceKey.TryCreate("orders/1", out var key).ShouldBeTrue();
        return new EnterRequest(
            session.Id, key, new FencingToken(33), new FencingToken(33), 1, TimeSpan.FromSeconds(10));
    }
}
