using FenceGateway.Fencing;
using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Conformance;

/// <summary>Here is what the end of a session does, and what an operator may do.</summary>
public abstract partial class SharedTokenStoreConformance<TStore>
{
    private static readonly TimeProvider Time = TimeProvider.System;

    [Fact]
    public async Task EndSessionAsync_Quiet_TakesTheRegistrationsAtOnce()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        await a.EnterAsync("s", 5);
        await a.EndSessionAsync(isClean: true);
        await a.EndSessionAsync(isClean: true);
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
        await ExpectWritersAsync(b, "s");
        await ExpectEndedAsync(a, b);
    }

    [Fact]
    public async Task EndSessionAsync_NotQuiet_HoldsNewerTokensBackAsLongAsTheAskerSays()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        await a.EndSessionAsync(isClean: false);
        await a.EndSessionAsync(isClean: false);

        var reply = await b.EnterAsync("r", 6);
        (reply.Status, reply.Mark.Value, reply.HeldElsewhere).ShouldBe((EnterStatus.Draining, 6, false));
        reply.RetryAfter.ShouldBeInRange(ConformanceGateway.LongHold - TimeLimit.Default, ConformanceGateway.LongHold);
        var writer = (await b.FindAsync("r"))!.Value.Writers.ShouldHaveSingleItem();
        (writer.Session, writer.Token.Value).ShouldBe((a.Session, 5));
        writer.EndedFor!.Value.ShouldBeInRange(TimeSpan.Zero, TimeLimit.Default);

        (await b.EnterAsync("r", 6, hold: TimeSpan.Zero)).ShouldBe(Admitted(6));
        await ExpectWritersAsync(b, "r", (b, 6));
        await ExpectEndedAsync(a, b);
    }

    [Fact]
    public async Task EndSessionAsync_AfterTheHold_LetsNewerTokensIn()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        var hold = TimeSpan.FromSeconds(1);
        var began = Time.GetTimestamp();
        await a.EndSessionAsync(isClean: false);
        await Eventually.IsSoAsync(async () =>
        {
            var reply = await b.EnterAsync("r", 6, hold: hold);
            reply.RetryAfter.ShouldBeInRange(TimeSpan.Zero, hold);
            (reply.Status == EnterStatus.Draining).ShouldBe(reply.RetryAfter > TimeSpan.Zero);
            return reply.Status == EnterStatus.Admitted;
        }, "the hold ends");
        Time.GetElapsedTime(began).ShouldBeGreaterThan(hold - TimeLimit.TimerTick);
        await ExpectWritersAsync(b, "r", (b, 6));
    }

    [Fact]
    public async Task EndSessionAsync_SameOrOlderTokensElsewhere_AreNotHeldBack()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        await a.EndSessionAsync(isClean: false);
        (await b.EnterAsync("r", 5)).ShouldBe(Admitted(5));
        (await b.EnterAsync("r", 4)).ShouldBe(Stale(5));
    }

    [Fact]
    public async Task EndSessionAsync_WhileALivingWriterIsLowerToo_TellsBoth()
    {
        var (a, b) = await OpenTwoAsync();
        var c = await OpenAsync();
        await a.EnterAsync("r", 5);
        await c.EnterAsync("r", 5);
        await a.EndSessionAsync(isClean: false);
        var reply = await b.EnterAsync("r", 6);
        reply.HeldElsewhere.ShouldBeTrue();
        reply.RetryAfter.ShouldBeGreaterThan(TimeSpan.Zero);
        (await b.EnterAsync("r", 6, hold: TimeSpan.Zero)).ShouldBe(Draining(6, elsewhere: true));
    }

    [Fact]
    public async Task StartSessionAsync_AfterTheEndOfTheOneBefore_IsHeldBackByWhatThatLeft()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        var before = a.Session;
        await a.EndSessionAsync(isClean: false);
        await a.StartSessionAsync();
        a.Session.ShouldNotBe(before);
        (await a.HeartbeatAsync()).Alive.ShouldBeTrue();
        (await a.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        await a.Store.WithdrawAsync(before, [new Registration(ConformanceGateway.Key("r"), a.Sequence)], default);
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6), "its owner knows that nothing is in flight");
    }

    [Fact]
    public async Task WithdrawAsync_OfAnEndedSession_FollowsTheSequenceToo()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5, sequence: 10);
        await a.EndSessionAsync(isClean: false);
        await a.WithdrawAsync("r", sequence: 9);
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        await a.WithdrawAsync("r", sequence: 10);
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
    }

    [RealTimeFact]
    public async Task HeartbeatAsync_SessionThatIsNotProlonged_EndsByTheStoresClock()
    {
        var b = Gateway;
        var a = await OpenAsync(ShortLife);
        await a.EnterAsync("r", 5);
        await AbandonAsync((TStore)a.Store);
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        await Eventually.IsSoAsync(async () =>
        {
            var reply = await b.EnterAsync("r", 6);
            reply.Status.ShouldBe(EnterStatus.Draining);
            reply.HeldElsewhere.ShouldBe(reply.RetryAfter == TimeSpan.Zero);
            return !reply.HeldElsewhere;
        }, "the session expires", a.TimeToLive * 4 + TimeLimit.Default);
        (await b.EnterAsync("r", 6, hold: TimeSpan.Zero)).ShouldBe(Admitted(6));
        await ExpectWritersAsync(b, "r", (b, 6));
    }

    [RealTimeFact]
    public async Task HeartbeatAsync_SessionThatExpired_IsNeverAliveAgain()
    {
        var b = Gateway;
        var a = await OpenAsync(ShortLife);
        await a.EnterAsync("r", 5);
        await AbandonAsync((TStore)a.Store);
        await Eventually.IsSoAsync(
            async () => (await b.FindAsync("r"))!.Value.Writers.Single().EndedFor is not null, "the session expires",
            a.TimeToLive * 4 + TimeLimit.Default);
        await ExpectEndedAsync(a, b);
        await a.EndSessionAsync(isClean: false);
        await a.StartSessionAsync();
        (await a.EnterAsync("q", 1)).ShouldBe(Admitted(1));
    }

    [RealTimeFact]
    public async Task HeartbeatAsync_InTime_ProlongsTheSession()
    {
        var b = Gateway;
        var a = await OpenAsync(ShortLife * 2);
        await a.EnterAsync("r", 5);
        var began = Time.GetTimestamp();
        await Eventually.IsSoAsync(async () =>
        {
            (await a.HeartbeatAsync()).Alive.ShouldBeTrue();
            return Time.GetElapsedTime(began) > a.TimeToLive * 1.5;
        }, "one and a half lives pass", a.TimeToLive * 4 + TimeLimit.Default);
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        (await a.EnterAsync("q", 1)).ShouldBe(Admitted(1));
    }

    [Fact]
    public async Task SetMarkAsync_OwnRegistration_GoesInTheSameStep()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        (await a.SetMarkAsync("r", 3)).ShouldBeTrue();
        await ExpectWritersAsync(a, "r");
        (await b.EnterAsync("r", 4)).ShouldBe(Admitted(4));
    }

    [Fact]
    public async Task SetMarkAsync_WriterElsewhere_IsRefusedAndNothingIsChanged()
    {
        var (a, b) = await OpenTwoAsync();
        foreach (var mark in (long[])[1, 5, 9])
        {
            var key = $"r{mark}";
            await a.EnterAsync(key, 5);
            await b.EnterAsync(key, 5);
            var before = (await b.FindAsync(key))!.Value;
            (await a.SetMarkAsync(key, mark)).ShouldBeFalse();
            var after = (await b.FindAsync(key))!.Value;
            (after.Mark, after.Sequence, after.AdvancedAt).ShouldBe((5, before.Sequence, before.AdvancedAt));
            await ExpectWritersAsync(b, key, (a, 5), (b, 5));
            await b.WithdrawAsync(key);
            (await a.SetMarkAsync(key, mark)).ShouldBeTrue();
            (await b.MarkAsync(key)).ShouldBe(mark);
        }
    }

    [Fact]
    public async Task SetMarkAsync_EndedWriterElsewhere_IsRefusedWithinTheHoldOnly()
    {
        var (a, b) = await OpenTwoAsync();
        await b.EnterAsync("r", 5);
        await b.EndSessionAsync(isClean: false);
        (await a.SetMarkAsync("r", 1)).ShouldBeFalse();
        (await a.MarkAsync("r")).ShouldBe(5);
        (await a.SetMarkAsync("r", 1, hold: TimeSpan.Zero)).ShouldBeTrue();
        await ExpectWritersAsync(a, "r");
        (await a.EnterAsync("r", 2)).ShouldBe(Admitted(2));
    }

    [Fact]
    public async Task SetMarkAsync_WhileAnotherEnters_NeverUndoesTheNewerMark()
    {
        var (a, b) = await OpenTwoAsync();
        for (var round = 0; round < 30; round++)
        {
            var key = $"r/{round}";
            await a.EnterAsync(key, 5);
            await a.WithdrawAsync(key);
            var set = Task.Run(() => a.SetMarkAsync(key, 3));
            var entered = Task.Run(() => b.EnterAsync(key, 6));
            (await entered).Status.ShouldBe(EnterStatus.Admitted);
            await set;
            (await a.MarkAsync(key)).ShouldBe(6, $"set: {await set}");
            await ExpectWritersAsync(a, key, (b, 6));
        }
    }

    [Fact]
    public async Task ResolveAsync_LeftByEndedSessions_RemovesThemAndNoLivingOne()
    {
        var (a, b) = await OpenTwoAsync();
        var c = await OpenAsync();
        await a.EnterAsync("r", 5);
        await c.EnterAsync("r", 5);
        await a.EnterAsync("s", 5);
        await a.EndSessionAsync(isClean: false);
        (await b.ResolveAsync("r")).ShouldBe(1);
        (await b.ResolveAsync("r")).ShouldBe(0);
        await ExpectWritersAsync(b, "r", (c, 5));
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        await c.WithdrawAsync("r");
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
        (await b.EnterAsync("s", 6)).Status.ShouldBe(EnterStatus.Draining, "only that resource was resolved");
    }

    private static async Task ExpectEndedAsync(ConformanceGateway ended, ConformanceGateway other)
    {
        (await ended.HeartbeatAsync()).Alive.ShouldBeFalse();
        (await ended.HeartbeatAsync()).Alive.ShouldBeFalse();
        var refusal = await Should.ThrowAsync<TokenStoreUnavailableException>(() => ended.EnterAsync("ended", 5));
        (refusal.SessionEnded, refusal.NotTaken).ShouldBe((true, true));
        (await other.FindAsync("ended")).ShouldBeNull();
        await other.EnterAsync("ended", 7);
        refusal = await Should.ThrowAsync<TokenStoreUnavailableException>(() => ended.EnterAsync("ended", 8));
        refusal.SessionEnded.ShouldBeTrue();
        (await other.MarkAsync("ended")).ShouldBe(7);
    }
}
