namespace FenceGateway.Fencing.Tests;

public sealed class GatewayFenceTests
{
    private const long First = 1;
    private const long Second = 2;
    private const long None = 0;

    private readonly ActiveWrites _writes = new();
    private GatewayFence _fence;

    [Fact]
    public void Next_NewToken_EntersThenAdmitsWhileTheSessionLives()
    {
        Next(33).ShouldBe(new FenceStep(FenceStepKind.Enter, 33));
        Enter(33, EnterStatus.Admitted);
        _fence.Mark.ShouldBe(33);
        Next(33).Kind.ShouldBe(FenceStepKind.Admit);
        Next(32).Kind.ShouldBe(FenceStepKind.RefuseStale);
        Next(34).ShouldBe(new FenceStep(FenceStepKind.Enter, 34));
        _fence.HasEntered(33, None).ShouldBeFalse();
        _fence.HasEntered(33, Second).ShouldBeFalse();
    }

    [Fact]
    public void BeginEnter_OlderWriteInFlight_TellsItAndSealsTheOlderToken()
    {
        Enter(33, EnterStatus.Admitted);
        _writes.Begin(33);
        Begin(34).ShouldBe(new FenceEnter(34, 33, First));
        _fence.IsBusy.ShouldBeTrue();
        _fence.HasEntered(33, First).ShouldBeFalse();
        Next(33).Kind.ShouldBe(FenceStepKind.AwaitStore);
        Should.Throw<InvalidOperationException>(() => Begin(35), "one step at a time");
    }

    [Fact]
    public void FailEnter_ReplyLost_NeverGoesBack()
    {
        Enter(33, EnterStatus.Admitted);
        Begin(34);
        _fence.FailEnter(notTaken: false);
        Next(33).ShouldBe(new FenceStep(FenceStepKind.Enter, 34));
        _fence.Mark.ShouldBe(33);
    }

    [Fact]
    public void FailEnter_NotTaken_TheOlderTokenMayAskAgain()
    {
        Begin(34);
        _fence.FailEnter(notTaken: true);
        _fence.IsRegistered.ShouldBeFalse();
        Next(33).ShouldBe(new FenceStep(FenceStepKind.Enter, 33));
    }

    [Fact]
    public void Next_OlderWrites_WaitsForThoseInFlightThenForThoseInDoubtThenAsksAgain()
    {
        _writes.Begin(33);
        Enter(34, EnterStatus.Draining, new FenceWait(HoldUntil: 7, AskAt: 5));
        Next(34).ShouldBe(new FenceStep(FenceStepKind.AwaitDrain));
        _writes.EndInDoubt(33, until: 9);
        Next(34).ShouldBe(
            new FenceStep(FenceStepKind.AwaitDrain, Until: 9, WakeAt: 9), "before that the store would only say so");
        _writes.Resolve();
        Next(34).ShouldBe(new FenceStep(FenceStepKind.AwaitDrain, Until: 7, WakeAt: 5));
        Next(34, now: 5).ShouldBe(new FenceStep(FenceStepKind.Enter, 34, AfterWait: true));
    }

    [Theory]
    [InlineData(false, FenceStepKind.Enter)]
    [InlineData(true, FenceStepKind.RefuseDraining)]
    public void Next_Overdue_TheLastWordIsTheStores(bool isCurrent, FenceStepKind expected)
    {
        _writes.Begin(33);
        Enter(34, EnterStatus.Draining);
        _fence.Next(new FenceRequest(34, IsCurrent: isCurrent, IsOverdue: true), _writes, First, now: 0).Kind.ShouldBe(
            expected);
    }

    [Theory]
    [InlineData(EnterStatus.Admitted, true)]
    [InlineData(EnterStatus.Draining, false)]
    [InlineData(EnterStatus.Stale, false)]
    public void EndEnter_NothingOlder_IsRegisteredOnlyWhenAdmitted(EnterStatus status, bool isRegistered)
    {
        Enter(34, status);
        _fence.IsRegistered.ShouldBe(isRegistered);
    }

    [Fact]
    public void EndEnter_DrainingBesideAnEarlierRegistration_StaysRegistered()
    {
        Enter(33, EnterStatus.Admitted);
        Enter(34, EnterStatus.Draining);
        _fence.IsRegistered.ShouldBeTrue();
        _fence.NeedsWithdrawal(First).ShouldBeTrue();
    }

    [Fact]
    public void TryBeginWithdraw_WritesOrADeadSession_IsRefused()
    {
        Enter(33, EnterStatus.Admitted);
        _writes.Begin(33);
        _fence.TryBeginWithdraw(_writes, First).ShouldBeFalse();
        _writes.End(33);
        _fence.TryBeginWithdraw(_writes, None).ShouldBeFalse();
        _fence.TryBeginWithdraw(_writes, First).ShouldBeTrue();
        _fence.Entered.ShouldBe(0);
        _fence.EndWithdraw(First, done: false);
        _fence.NeedsWithdrawal(First).ShouldBeTrue("it may still be registered");
    }

    [Fact]
    public void EndWithdraw_Done_GivesUpTheSealThatWasNotAnswered()
    {
        Begin(34);
        _fence.FailEnter(notTaken: false);
        _fence.TryRetire(_writes, First, now: 0).ShouldBeFalse();
        _fence.TryBeginWithdraw(_writes, First).ShouldBeTrue();
        _fence.EndWithdraw(First, done: true);
        Next(33).ShouldBe(new FenceStep(FenceStepKind.Enter, 33));
        _fence.TryRetire(_writes, First, now: 0).ShouldBeTrue();
        Next(33).Kind.ShouldBe(FenceStepKind.LookUpAgain);
    }

    [Fact]
    public void TryRetire_SealNotAnsweredAndNeverRegistered_WaitsForTheEndOfTheSession()
    {
        _fence.BeginEnter(34, First, isRegistering: false, _writes);
        _fence.FailEnter(notTaken: false);
        _fence.TryRetire(_writes, First, now: 0).ShouldBeFalse();
        _fence.TryRetire(_writes, None, now: 0).ShouldBeTrue();
    }

    [Fact]
    public void Leave_StepOfTheNextSessionUnderWay_TakesWhatWasThereBefore()
    {
        Enter(33, EnterStatus.Admitted);
        _fence.BeginEnter(34, Second, isRegistering: true, _writes);
        _fence.Leave(First, _writes).ShouldBeTrue();
        _fence.FailEnter(notTaken: true);
        _fence.IsRegistered.ShouldBeFalse("the first one's is gone, the second one's was not made");
    }

    [Fact]
    public void Leave_WriteInDoubt_IsLeftToItsHold()
    {
        Enter(33, EnterStatus.Admitted);
        _writes.Hold(33, until: 9);
        _fence.Leave(First, _writes).ShouldBeFalse();
        _fence.IsRegistered.ShouldBeFalse();
        _fence.HasEntered(33, First).ShouldBeFalse();
    }

    [Fact]
    public void Adopt_RegistrationNotKnown_IsTakenBack()
    {
        _fence.Adopt(First);
        _fence.NeedsWithdrawal(First).ShouldBeTrue();
    }

    [Fact]
    public void Told_HigherMark_SealsAndProvesNothing()
    {
        Enter(33, EnterStatus.Admitted);
        _fence.TakeNotice(34, risen: true);
        _fence.Mark.ShouldBe(33);
        Next(33).ShouldBe(new FenceStep(FenceStepKind.Enter, 33));
        Enter(33, EnterStatus.Admitted);
        Next(33).Kind.ShouldBe(FenceStepKind.Admit, "the answer is later than what was told");
    }

    [Fact]
    public void Told_HigherMarkWhileEntering_TheAdmissionIsNotReliedOn()
    {
        var asked = Begin(33);
        _fence.TakeNotice(34, risen: true);
        _fence.EndEnter(asked, EnterStatus.Admitted, 33, default);
        _fence.HasEntered(33, First).ShouldBeFalse();
        _fence.NeedsWithdrawal(First).ShouldBeTrue();
        Next(33).ShouldBe(new FenceStep(FenceStepKind.Enter, 33));
    }

    [Fact]
    public void Told_UnknownMark_TheTokenHasToAskAgain()
    {
        Enter(33, EnterStatus.Admitted);
        _fence.TakeNotice(0, risen: false);
        Next(33).Kind.ShouldBe(FenceStepKind.Enter);
    }

    [Fact]
    public void Told_WhileAwaitingOthers_OnlyNewsAsksAgain()
    {
        Enter(34, EnterStatus.Draining, new FenceWait(0, AskAt: 5));
        _fence.TakeNotice(34, risen: true);
        _fence.TakeNotice(33, risen: false);
        Next(34).Kind.ShouldBe(FenceStepKind.AwaitDrain);
        _fence.TakeNotice(34, risen: false);
        Next(34).Kind.ShouldBe(FenceStepKind.Enter);
    }

    [Fact]
    public void EndSetMark_OperatorsMark_MayBeLower()
    {
        Enter(33, EnterStatus.Admitted);
        _fence.TryBeginSetMark(_writes, now: 0).ShouldBeTrue();
        _fence.EndSetMark(5);
        _fence.Mark.ShouldBe(5);
        Next(6).ShouldBe(new FenceStep(FenceStepKind.Enter, 6));
    }

    private FenceStep Next(long token, long now = 0) => _fence.Next(new FenceRequest(token), _writes, First, now);

    private FenceEnter Begin(long token) => _fence.BeginEnter(token, First, isRegistering: true, _writes);

    private void Enter(long token, EnterStatus status, FenceWait wait = default)
    {
        var asked = Begin(token);
        _fence.EndEnter(asked, status, token, wait);
    }
}
