using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using static FenceGateway.TokenStore.Conformance.SharedScript;

namespace FenceGateway.TokenStore.Tests.Sessions;

/// <summary>
/// What one gateway of a fleet does with its registrations: the store and the other gateways are played by the test.
/// </summary>
public sealed class FenceRegistrationTests : IAsyncDisposable
{
    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Beat = TimeToLive / 3 + TimeSpan.FromMilliseconds(1);
    private static readonly AdmissionRules Drain = new(Drain: true, TimeSpan.FromSeconds(5), Hold);
    private static readonly AdmissionRules Seal = new(Drain: false, TimeSpan.FromSeconds(5), Hold);

    private readonly ManualTimeProvider _time = new();
    private readonly SharedScript _store = new();
    private readonly StoreClient _session;
    private readonly FenceTable _table;
    private readonly ResourceFence _fence;

    public FenceRegistrationTests()
    {
        _session = TestSession.Open(_store, _time);
        _table = new FenceTable(_session, _time, capacity: 1024, Idle);
        _fence = _table.Get("orders/1");
    }

    public async ValueTask DisposeAsync()
    {
        _table.Close();
        await _session.DisposeAsync();
    }

    [Fact]
    public async Task TryAdmit_Registered_NeedsNoStoreUntilTheSessionEnds()
    {
        await EnterAsync(33);
        _fence.TryAdmit(new(33), isWrite: true, out var steady).ShouldBeTrue();
        steady.Session.ShouldBeSameAs(_session.Current);
        _store.Entered.Count.ShouldBe(1);

        _store.Away = new TokenStoreUnavailableException("gone");
        _time.Advance(TimeToLive);
        _fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeFalse();
        (await Admit(33)).Status.ShouldBe(AdmissionStatus.Unavailable);
        _fence.TryAdmit(new(32), isWrite: true, out var stale).ShouldBeTrue();
        stale.Status.ShouldBe(AdmissionStatus.Stale, "what is stale for certain needs no store");
    }

    [Fact]
    public async Task Changed_HigherMark_SealsTheOlderTokenDrainsAndWithdraws()
    {
        await EnterAsync(33);
        Tell(34);
        _fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeFalse("the store has to say");
        _store.Withdrawn.ShouldBeEmpty("a write is in flight");
        _fence.End(new(33));
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "withdrawn");
        _store.Withdrawn.Single().Registrations.Single().ShouldBe(
            new Registration(_fence.Resource, _store.Entered.Single().Sequence));
    }

    [Fact]
    public async Task Changed_HigherMark_IsProvenByTheStoresAnswerOnly()
    {
        await EnterAsync(33);
        Tell(34);
        _fence.Mark.ShouldBe(33, "what is told may not be durable");
        var lost = Admit(33);
        await _store.FailAsync();
        (await lost).Status.ShouldBe(AdmissionStatus.Unavailable);
        var asked = Admit(33);
        await _store.ReplyAsync(EnterStatus.Stale, 34);
        (await asked).Status.ShouldBe(AdmissionStatus.Stale);
        _fence.Mark.ShouldBe(34);
        _fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeTrue("from memory from now on");
    }

    [Fact]
    public async Task Changed_MarkThatNeverBecameDurable_TheHolderGoesOn()
    {
        await EnterAsync(33);
        Tell(34);
        await EnterAsync(33);
        _fence.TryAdmit(new(33), isWrite: true, out var steady).ShouldBeTrue();
        steady.Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task Heartbeat_RevokesWhatIsEnteredHere_IsNoProofOfTheMark()
    {
        await EnterAsync(33);
        _store.Heartbeat = () => Task.FromResult(new Heartbeat(true, [new ResourceChange(_fence.Resource, 34)]));
        await BeatAsync();
        await EventuallyAsync(() => !_fence.TryAdmit(new(33), isWrite: false, out _), "the store has to say");
        _fence.Mark.ShouldBe(33);
    }

    [Fact]
    public async Task Changed_WriteInDoubt_WithdrawsOnlyAfterItsHold()
    {
        await EnterAsync(33);
        _fence.EndInDoubt(new(33), TimeSpan.FromSeconds(2), _time);
        Tell(34);
        await _time.WaitForTimerAsync(TimeSpan.FromSeconds(2));
        _store.Withdrawn.ShouldBeEmpty();
        _time.Advance(TimeSpan.FromSeconds(2));
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "withdrawn");
    }

    [Fact]
    public async Task Changed_WhileAnEnterIsOnItsWay_ALateAdmissionIsNotReliedOn()
    {
        var first = Admit(33);
        await EventuallyAsync(() => _store.Entered.Count == 1, "asked");
        Tell(34);
        await _store.ReplyAsync(EnterStatus.Admitted, 33);
        await _store.ReplyAsync(EnterStatus.Stale, 34);
        (await first).Status.ShouldBe(AdmissionStatus.Stale);
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "the registration goes");
    }

    [Fact]
    public async Task Changed_MarkIsNotKnown_AsksAgainBeforeItAdmits()
    {
        await EnterAsync(33);
        _fence.End(new(33));
        Tell(0);
        _fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeFalse();
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "withdrawn, since nothing is in flight");
    }

    [Fact]
    public async Task Changed_MarkThatWasEnteredWith_ChangesNothing()
    {
        await EnterAsync(33);
        Tell(33);
        _fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeTrue();
        _store.Withdrawn.ShouldBeEmpty();
    }

    [Fact]
    public async Task Changed_MarkLoweredByAnOperatorElsewhere_IsNotAnsweredFromMemory()
    {
        var first = Admit(33);
        await _store.ReplyAsync(EnterStatus.Stale, 50);
        (await first).Status.ShouldBe(AdmissionStatus.Stale);
        _fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeTrue();
        Tell(7);
        var again = _table.Get("orders/1");
        again.TryAdmit(new(33), isWrite: true, out _).ShouldBeFalse("the store has to say");
        again.Mark.ShouldBe(0);
    }

    [Fact]
    public async Task Idle_FenceWithNothingToLose_IsForgotten()
    {
        var first = Admit(33);
        await _store.ReplyAsync(EnterStatus.Stale, 50);
        await first;
        _time.Advance(3 * Idle);
        _table.Get("orders/1").ShouldNotBeSameAs(_fence);
    }

    [Fact]
    public async Task AdmitAsync_HeldElsewhere_AsksAgainWhenTold()
    {
        var newer = Admit(34);
        await _store.ReplyAsync(EnterStatus.Draining, 34, heldElsewhere: true);
        Tell(34);
        await _store.ReplyAsync(EnterStatus.Admitted, 34);
        (await newer).Status.ShouldBe(AdmissionStatus.Admitted);
        _store.Entered.Count.ShouldBe(2);
    }

    [Fact]
    public async Task AdmitAsync_ToldOfItsOwnRise_DoesNotAskAgain()
    {
        var newer = Admit(34);
        await EventuallyAsync(() => _store.Entered.Count == 1, "asked");
        _store.Tell(new ResourceChange(_fence.Resource, 34, Risen: true));
        await _store.ReplyAsync(EnterStatus.Draining, 34, heldElsewhere: true);
        _store.Tell(new ResourceChange(_fence.Resource, 34, Risen: true));
        await _time.WaitForTimerWithinAsync(TimeSpan.FromMilliseconds(500));
        _store.Entered.Count.ShouldBe(1);
        Tell(34);
        await _store.ReplyAsync(EnterStatus.Admitted, 34);
        (await newer).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task AdmitAsync_ToldLateOfAnOlderMark_DoesNotAskAgain()
    {
        var newer = Admit(34);
        await _store.ReplyAsync(EnterStatus.Draining, 34, heldElsewhere: true);
        await _time.WaitForTimerWithinAsync(TimeSpan.FromMilliseconds(500));
        Tell(33);
        Tell(34);
        await _store.ReplyAsync(EnterStatus.Admitted, 34);
        (await newer).Status.ShouldBe(AdmissionStatus.Admitted);
        _store.Entered.Count.ShouldBe(2);
        _table.Get("orders/1").ShouldBeSameAs(_fence);
    }

    [Fact]
    public async Task AdmitAsync_HeldElsewhereAndNotTold_AsksAgainByItself()
    {
        var newer = Admit(34);
        await _store.ReplyAsync(EnterStatus.Draining, 34, heldElsewhere: true);
        await _time.WaitForTimerWithinAsync(TimeSpan.FromMilliseconds(500));
        _time.Advance(TimeSpan.FromMilliseconds(500));
        await _store.ReplyAsync(EnterStatus.Admitted, 34);
        (await newer).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task AdmitAsync_ToldBeforeTheDrainingReplyArrives_AsksAgainAtOnce()
    {
        var newer = Admit(34);
        await EventuallyAsync(() => _store.Entered.Count == 1, "asked");
        Tell(34);
        await _store.ReplyAsync(EnterStatus.Draining, 34, heldElsewhere: true);
        await _store.ReplyAsync(EnterStatus.Admitted, 34);
        (await newer).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task AdmitAsync_OlderWriteOfAnEndedSession_SaysHowLongItHolds()
    {
        var newer = Admit(34, Drain with { DrainTimeout = TimeSpan.Zero });
        await _store.ReplyAsync(EnterStatus.Draining, 34, retryAfter: TimeSpan.FromSeconds(7));
        var refused = await newer;
        refused.Status.ShouldBe(AdmissionStatus.Draining);
        refused.RetryAfter.ShouldBe(TimeSpan.FromSeconds(7));
    }

    [Fact]
    public async Task AdmitAsync_OwnOlderWriteInFlight_IsToldToTheStore()
    {
        await EnterAsync(33);
        var newer = Admit(34);
        await _store.ReplyAsync(EnterStatus.Draining, 34);
        _store.Entered.Last().Oldest.ShouldBe(new FencingToken(33));
        _fence.End(new(33));
        await _store.ReplyAsync(EnterStatus.Admitted, 34);
        (await newer).Status.ShouldBe(AdmissionStatus.Admitted);
        _store.Entered.Last().Oldest.ShouldBe(new FencingToken(34));
        _store.Entered.Select(e => e.Sequence).ShouldBeInOrder();
        _store.Withdrawn.ShouldBeEmpty("the registration has moved up");
    }

    [Theory]
    [InlineData((int)EnterStatus.Stale, 35, (int)AdmissionStatus.Stale)]
    [InlineData((int)EnterStatus.Draining, 34, (int)AdmissionStatus.Draining)]
    public async Task AdmitAsync_TimeIsUpAndTheMarkIsOlderThanTheRequest_AsksTheStoreBeforeItAnswers(
        int status, long mark, int answer)
    {
        await EnterAsync(33);
        Tell(34);
        _ = Admit(34);
        await _store.ReplyAsync(EnterStatus.Draining, 34);
        await _time.WaitForTimerAsync(Drain.DrainTimeout);
        var newer = Admit(34, Drain with { DrainTimeout = TimeSpan.FromMilliseconds(300) });
        _store.Entered.Count.ShouldBe(2, "nothing to ask for while its own write is in flight");
        _time.Advance(TimeSpan.FromMilliseconds(300));
        await _store.ReplyAsync((EnterStatus)status, mark);
        (await newer).Status.ShouldBe((AdmissionStatus)answer);
        _store.Entered.Last().Oldest.ShouldBe(new FencingToken(33));
        _fence.Mark.ShouldBe(mark);
    }

    [Fact]
    public async Task AdmitAsync_SealWhileOthersDrain_IsSealedByItsOwnStepEachTime()
    {
        var first = Admit(34, Seal);
        await _store.ReplyAsync(EnterStatus.Draining, 34, heldElsewhere: true);
        (await first).Status.ShouldBe(AdmissionStatus.Admitted);
        var second = Admit(34, Seal);
        _time.Advance(TimeSpan.FromMilliseconds(500));
        await _store.ReplyAsync(EnterStatus.Stale, 35);
        (await second).Status.ShouldBe(AdmissionStatus.Stale, "a mark that was once seen is no admission");
    }

    [Fact]
    public async Task AdmitAsync_ReplyLost_IsNotReliedOnAndTakenBack()
    {
        var lost = Admit(33);
        await _store.FailAsync();
        (await lost).Status.ShouldBe(AdmissionStatus.Unavailable);
        _fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeFalse();
        _time.Advance(Idle);
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "it may be registered");
        await EventuallyAsync(
            () =>
            {
                _time.Advance(Idle);
                return !ReferenceEquals(_table.Get("orders/1"), _fence);
            },
            "nothing is left to remember");
    }

    [Fact]
    public async Task AdmitAsync_CertainlyNotTaken_LeavesNothingToTakeBack()
    {
        var refused = Admit(33);
        await _store.FailAsync(notTaken: true);
        (await refused).Status.ShouldBe(AdmissionStatus.Unavailable);
        _time.Advance(2 * Idle);
        _store.Withdrawn.ShouldBeEmpty();
    }

    [Fact]
    public async Task AdmitAsync_StepThatIsNotEvenSent_LeavesTheHolderAlone()
    {
        await EnterAsync(33);
        for (var i = 0; i < 5; i++)
        {
            var lost = Admit(1, fence: _table.Get($"lost/{i}"));
            await _store.FailAsync();
            await lost;
        }

        var newer = await Admit(34);
        newer.Status.ShouldBe(AdmissionStatus.Unavailable);
        newer.Fault.ShouldBe("lost");
        _store.Entered.Count.ShouldBe(6);
        _fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeTrue();
    }

    [Fact]
    public async Task AdmitAsync_SentAndNotTaken_TheOlderTokenHasToAskAgain()
    {
        await EnterAsync(33);
        var newer = Admit(34);
        await _store.FailAsync(notTaken: true);
        (await newer).Status.ShouldBe(AdmissionStatus.Unavailable);
        _fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeFalse("never go back, whatever the reply");
        var again = Admit(33);
        await _store.ReplyAsync(EnterStatus.Admitted, 33);
        (await again).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task Idle_Registrations_GoInOneBatchAndUsedOnesStay()
    {
        foreach (var key in new[] { "orders/1", "orders/2", "orders/3" })
        {
            var fence = _table.Get(key);
            var admission = Admit(33, fence: fence);
            await _store.ReplyAsync(EnterStatus.Admitted, 33);
            await admission;
            fence.End(new(33));
        }

        _time.Advance(Idle);
        _fence.TryAdmit(new(33), isWrite: false, out _).ShouldBeTrue();
        _time.Advance(Idle);
        await EventuallyAsync(() => _store.Withdrawn.Sum(w => w.Registrations.Count) == 2, "two are idle");
        _store.Withdrawn.Count.ShouldBeLessThanOrEqualTo(2);
        _fence.TryAdmit(new(33), isWrite: false, out _).ShouldBeTrue();
        _table.Get("orders/2").TryAdmit(new(33), isWrite: false, out _).ShouldBeFalse("it has to ask again");
    }

    [Fact]
    public async Task Idle_WaitsForItsTurn_StillAdmitsAndLetsANewerTokenPass()
    {
        var fences = await EnterManyAsync(2 * Registration.MaxBatch);
        var gate = new TaskCompletionSource();
        _store.WithdrawGate = gate.Task;
        _time.Advance(2 * Idle);
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "the first batch");
        var sent = _store.Withdrawn.Single().Registrations.Select(r => r.Resource).ToHashSet();
        var waiting = fences.Where(f => !sent.Contains(f.Resource)).ToArray();
        waiting[0].TryAdmit(new(33), isWrite: true, out var steady).ShouldBeTrue();
        steady.Status.ShouldBe(AdmissionStatus.Admitted);
        var newer = Admit(34, fence: waiting[1]);
        await _store.ReplyAsync(EnterStatus.Admitted, 34);
        (await newer).Status.ShouldBe(AdmissionStatus.Admitted);

        gate.SetResult();
        await EventuallyAsync(
            () => _store.Withdrawn.Sum(w => w.Registrations.Count) == fences.Count - 2, "all that are idle");
        waiting[0].TryAdmit(new(33), isWrite: true, out _).ShouldBeTrue();
    }

    [Fact]
    public async Task Changed_IdleOnesWaitForTheirTurn_TheRevokedOneGoesFirst()
    {
        var fences = await EnterManyAsync(2 * Registration.MaxBatch + 1);
        var gate = new TaskCompletionSource();
        _store.WithdrawGate = gate.Task;
        _time.Advance(2 * Idle);
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "the first batch");
        var sent = _store.Withdrawn.Single().Registrations.Select(r => r.Resource).ToHashSet();
        var last = fences.Last(f => !sent.Contains(f.Resource));
        _store.Tell(new ResourceChange(last.Resource, 34));
        gate.SetResult();
        await EventuallyAsync(() => _store.Withdrawn.Count > 1, "the second batch");
        _store.Withdrawn.ElementAt(1).Registrations[0].Resource.ShouldBe(last.Resource);
    }

    [Fact]
    public async Task Changed_NewerTokenEntersHereBeforeItsTurn_ItsRegistrationStays()
    {
        var fences = await EnterManyAsync(3);
        var gate = new TaskCompletionSource();
        _store.WithdrawGate = gate.Task;
        _store.Tell(new ResourceChange(fences[0].Resource, 34));
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "the first call");
        _store.Tell(new ResourceChange(fences[1].Resource, 34));
        var newer = Admit(34, fence: fences[1]);
        await _store.ReplyAsync(EnterStatus.Admitted, 34);
        await newer;
        fences[1].End(new(34));
        _store.Tell(new ResourceChange(fences[2].Resource, 34));
        gate.SetResult();
        await EventuallyAsync(
            () => _store.Withdrawn.Any(w => w.Registrations.Any(r => r.Resource == fences[2].Resource)),
            "those behind it");
        _store.Withdrawn.ShouldNotContain(w => w.Registrations.Any(r => r.Resource == fences[1].Resource));
        fences[1].TryAdmit(new(34), isWrite: true, out _).ShouldBeTrue();
    }

    [Fact]
    public async Task Withdraw_StoreAway_IsTriedASeldomCallAtATimeAndNotAfterTheSessionsEnd()
    {
        var fences = await EnterManyAsync(3 * Registration.MaxBatch);
        _store.WithdrawFault = new TokenStoreUnavailableException("gone");
        fences.ForEach(f => _store.Tell(new ResourceChange(f.Resource, 34)));
        await EventuallyAsync(() => !_store.Withdrawn.IsEmpty, "tried");
        _store.Away = _store.WithdrawFault;
        for (var i = 0; i < 300; i++)
        {
            _time.Advance(TimeToLive / 100);
            await Task.Yield();
            _time.ArmedTimers.ShouldBeLessThan(20, "not one for each resource");
        }

        _session.Current!.IsAlive.ShouldBeFalse();
        await EventuallyAsync(() => _store.Withdrawn.Count >= 2, "tried again");
        _store.Withdrawn.Count.ShouldBeLessThanOrEqualTo(
            20, "far fewer than there are resources, and none after the session's end");
    }

    [Fact]
    public async Task Withdraw_Fails_IsTriedAgain()
    {
        await EnterAsync(33);
        _fence.End(new(33));
        _store.WithdrawFault = new TokenStoreUnavailableException("lost");
        Tell(34);
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "tried");
        _store.WithdrawFault = null;
        await EventuallyAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(20));
                return _store.Withdrawn.Count > 1;
            },
            "tried again");
    }

    [Fact]
    public async Task NewSession_RegistrationsOfTheLostOne_AreTakenBackWhereNothingIsInFlight()
    {
        var lost = _session.Current!;
        await EnterAsync(33);
        _fence.End(new(33));
        var busy = _table.Get("orders/2");
        var admission = Admit(7, fence: busy);
        await _store.ReplyAsync(EnterStatus.Admitted, 7);
        await admission;

        _store.Heartbeat = () => Task.FromResult(Heartbeat.Ended);
        await BeatAsync();
        await EventuallyAsync(() => _store.Withdrawn.Count == 1, "withdrawn");
        var (session, registrations) = _store.Withdrawn.Single();
        session.ShouldBe(lost.Id);
        registrations.Single().Resource.ShouldBe(
            _fence.Resource, "the other one has a write in flight: its hold has to pass");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task NewSession_ReplyLostInTheLostOne_DoesNotPinTheFence(bool writeInFlight)
    {
        if (writeInFlight)
        {
            await EnterAsync(33);
        }

        var lost = Admit(34);
        await _store.FailAsync();
        (await lost).Status.ShouldBe(AdmissionStatus.Unavailable);
        var before = _session.Current;
        _store.Heartbeat = () => Task.FromResult(Heartbeat.Ended);
        await BeatAsync();
        await EventuallyAsync(() => _session.Current != before, "another session");
        _table.CountRegistered().ShouldBe(0);
        if (writeInFlight)
        {
            _fence.End(new(33));
        }

        _time.Advance(3 * Idle);
        _table.Get("orders/1").ShouldNotBeSameAs(_fence);
    }

    [Fact]
    public async Task Heartbeat_RevokesWhatThisGatewayKnowsNothingOf_IsTakenBack()
    {
        ResourceKey.TryCreate("orders/late", out var late).ShouldBeTrue();
        _store.Heartbeat = () => Task.FromResult(new Heartbeat(true, [new ResourceChange(late, 40)]));
        await BeatAsync();
        await EventuallyAsync(
            () => _store.Withdrawn.Any(w => w.Registrations.Any(r => r.Resource == late)), "a step carried out late");
        _table.Get("orders/late").Mark.ShouldBe(0, "told, not proven");
    }

    [Fact]
    public async Task Evict_RegisteredFence_IsWithdrawnBeforeItIsForgotten()
    {
        var table = new FenceTable(_session, _time, capacity: 16, Idle);
        for (var i = 1; i <= 24; i++)
        {
            var fence = table.Get($"orders/{i}");
            var admission = table.AdmitAsync(fence, new(33), isWrite: true, Drain, CancellationToken.None);
            await _store.ReplyAsync(EnterStatus.Admitted, 33);
            await admission;
            fence.End(new(33));
        }

        await EventuallyAsync(() => !_store.Withdrawn.IsEmpty, "room is made");
    }

    [Fact]
    public async Task WithdrawIdleAsync_AtTheEnd_TakesBackAllButWhatIsInFlight()
    {
        await EnterAsync(33);
        var quiet = _table.Get("orders/2");
        var admission = Admit(7, fence: quiet);
        await _store.ReplyAsync(EnterStatus.Admitted, 7);
        await admission;
        quiet.End(new(7));
        _table.Close();
        await _table.WithdrawIdleAsync();
        _store.Withdrawn.Single().Registrations.Single().Resource.ShouldBe(quiet.Resource);
    }

    [Fact]
    public async Task SetMarkAsync_WriterElsewhere_IsBusyAndChangesNothing()
    {
        await EnterAsync(33);
        _fence.End(new(33));
        _store.SetMark = false;
        (await SetMark(5)).ShouldBe(OperatorStatus.Busy);
        _fence.Mark.ShouldBe(33);
        _store.SetMark = true;
        (await SetMark(5)).ShouldBe(OperatorStatus.Done);
        _fence.Mark.ShouldBe(5);
        var next = Admit(6);
        await _store.ReplyAsync(EnterStatus.Admitted, 6);
        (await next).Status.ShouldBe(AdmissionStatus.Admitted);

        Task<OperatorStatus> SetMark(long mark) =>
            _table.SetMarkAsync(_fence.Resource, mark, Hold, "a test", "tests", CancellationToken.None).AsTask();
    }

    /// <summary>Registered with 33 and idle.</summary>
    private async Task<List<ResourceFence>> EnterManyAsync(int count)
    {
        List<ResourceFence> fences = [];
        for (var i = 0; i < count; i++)
        {
            var fence = _table.Get($"many/{i}");
            var admission = Admit(33, fence: fence);
            await _store.ReplyAsync(EnterStatus.Admitted, 33);
            await admission;
            fence.End(new(33));
            fences.Add(fence);
        }

        return fences;
    }

    private async Task BeatAsync()
    {
        // Nothing else is due so soon.
        await _time.WaitForTimerWithinAsync(Beat);
        _time.Advance(Beat);
    }

    private void Tell(long mark) => _store.Tell(new ResourceChange(_fence.Resource, mark));

    private async Task EnterAsync(long token)
    {
        var admission = Admit(token);
        await _store.ReplyAsync(EnterStatus.Admitted, token);
        (await admission).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    private Task<Admission> Admit(long token, AdmissionRules? rules = null, ResourceFence? fence = null) => _table
        .AdmitAsync(
        fence ?? _fence, new FencingToken(token), isWrite: true, rules ?? Drain, CancellationToken.None).AsTask();
}
