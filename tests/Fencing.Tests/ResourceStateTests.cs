namespace FenceGateway.Fencing.Tests;

public sealed class ResourceStateTests
{
    private const long Hold = 100;

    private readonly ResourceState _state = new();
    private long _sequence;

    [Fact]
    public void Enter_TokenBelowTheMark_IsStaleAndChangesNothing()
    {
        Enter("a", 34).Status.ShouldBe(EnterStatus.Admitted);
        Enter("b", 33).ShouldBe(new EnterStep(EnterStatus.Stale));
        _state.Mark.ShouldBe(34);
        Writers().ShouldBe([("a", 34)]);
    }

    [Fact]
    public void Enter_TokenAtTheMark_IsAdmittedAgain()
    {
        Enter("a", 34).ShouldBe(new EnterStep(EnterStatus.Admitted));
        Enter("a", 34).ShouldBe(new EnterStep(EnterStatus.Admitted));
        Enter("b", 34).ShouldBe(new EnterStep(EnterStatus.Admitted));
    }

    [Fact]
    public void Enter_OlderWriterElsewhere_SealsTellsAndDrains()
    {
        Enter("a", 33);
        Enter("b", 34).ShouldBe(new EnterStep(EnterStatus.Draining, HeldElsewhere: true, Notify: true));
        Enter("b", 34).ShouldBe(new EnterStep(EnterStatus.Draining, HeldElsewhere: true), "the seal was told");
        _state.Mark.ShouldBe(34);
        Writers().ShouldBe([("a", 33)]);
        Enter("a", 33).Status.ShouldBe(EnterStatus.Stale);
        _state.Withdraw("a", _sequence).ShouldBeTrue();
        Enter("b", 34).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public void Enter_OwnOlderWriteInFlight_StaysRegisteredThereUntilItHasEnded()
    {
        Enter("a", 33);
        Enter("a", 34, oldest: 33).ShouldBe(new EnterStep(EnterStatus.Draining));
        Writers().ShouldBe([("a", 33)]);
        Enter("b", 34).ShouldBe(
            new EnterStep(EnterStatus.Draining, HeldElsewhere: true), "there was nothing new to tell");
        Enter("a", 34).ShouldBe(new EnterStep(EnterStatus.Admitted, Notify: true));
        Enter("b", 34).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public void Enter_OwnOlderWriteFromBeforeTheSession_IsRegistered()
    {
        Enter("a", 34, oldest: 31).ShouldBe(new EnterStep(EnterStatus.Draining));
        Writers().ShouldBe([("a", 31)]);
        Enter("b", 34).Status.ShouldBe(EnterStatus.Draining);
    }

    [Fact]
    public void Enter_DrainingWithNothingOfItsOwn_LeavesNoRegistration()
    {
        Enter("a", 33);
        Enter("b", 33);
        Enter("a", 34).Status.ShouldBe(EnterStatus.Draining, "b may still write with 33");
        Writers().ShouldBe([("b", 33)]);
        Enter("b", 35).Status.ShouldBe(EnterStatus.Admitted, "a's registration had nothing in flight any more");
    }

    [Fact]
    public void Enter_DrainingWithTheGreatestTokenAndNothingOfItsOwn_LeavesNoRegistration()
    {
        Enter("a", 33);

        Enter("b", long.MaxValue).Status.ShouldBe(EnterStatus.Draining);

        Writers().ShouldBe([("a", 33)]);
    }

    [Fact]
    public void Enter_DrainingAgainAtItsOwnToken_KeepsTheRegistration()
    {
        Enter("a", 34).Status.ShouldBe(EnterStatus.Admitted);
        Enter("b", 34, oldest: 33).Status.ShouldBe(
            EnterStatus.Draining, "b has something older, which a could not know");
        Enter("a", 34, sequence: 10).ShouldBe(new EnterStep(EnterStatus.Draining, HeldElsewhere: true));
        _state.Writers.ShouldContain(new RegisteredWriter("a", 34, 10, null), "a may still write with 34");
        Enter("b", 35, sequence: 11).Status.ShouldBe(EnterStatus.Draining);
    }

    [Fact]
    public void Enter_Overtaken_ChangesNothingAndPromisesNothing()
    {
        Enter("a", 33, sequence: 5);
        Enter("a", 34, sequence: 4).ShouldBe(new EnterStep(EnterStatus.Draining, HeldElsewhere: true));
        Enter("a", 33, oldest: 31, sequence: 4).Status.ShouldBe(EnterStatus.Draining);
        _state.Mark.ShouldBe(33);
        _state.Writers.ShouldBe([new RegisteredWriter("a", 33, 5, null)]);
        Enter("a", 32, sequence: 4).Status.ShouldBe(EnterStatus.Stale);
        Enter("a", 34, sequence: 5).Status.ShouldBe(EnterStatus.Admitted, "the same step once more");
    }

    [Fact]
    public void Withdraw_OvertakenByANewerStep_LeavesItsRegistration()
    {
        Enter("a", 33, sequence: 5);
        _state.Withdraw("a", 4).ShouldBeFalse();
        Enter("b", 34).Status.ShouldBe(EnterStatus.Draining);
        _state.Withdraw("a", 6).ShouldBeTrue("it held 34 back");
        _state.Withdraw("a", 6).ShouldBeFalse("there is nothing any more");
    }

    [Fact]
    public void Withdraw_AtTheMark_NeedNotBeTold()
    {
        Enter("a", 33);
        _state.Withdraw("a", _sequence).ShouldBeFalse();
        Writers().ShouldBeEmpty();
    }

    [Fact]
    public void End_OfAWriter_HoldsNewerTokensBackForTheAskersHold()
    {
        Enter("a", 33);
        _state.End("a", at: 1000);
        _state.End("a", at: 1050);
        Enter("b", 34, now: 1099).ShouldBe(new EnterStep(EnterStatus.Draining, HeldFor: 1));
        Enter("b", 33, now: 1000).Status.ShouldBe(EnterStatus.Stale);
        Enter("b", 34, now: 1100).Status.ShouldBe(EnterStatus.Admitted);
        Writers().ShouldBe([("b", 34)]);
    }

    [Fact]
    public void End_AtTheToken_HoldsOnlyNewerTokensBack()
    {
        Enter("a", 33);
        _state.End("a", at: 1000);
        Enter("b", 33, now: 1000).Status.ShouldBe(EnterStatus.Admitted);
        Enter("b", 34, now: 1050).HeldFor.ShouldBe(50);
    }

    [Fact]
    public void End_OfSeveralWriters_TheLatestHoldCounts()
    {
        Enter("a", 33);
        Enter("b", 33);
        Enter("c", 33);
        _state.End("a", at: 1000);
        _state.End("b", at: 1030);
        Enter("d", 34, now: 1050).ShouldBe(
            new EnterStep(EnterStatus.Draining, HeldFor: 80, HeldElsewhere: true, Notify: true));
        Enter("d", 34, now: 1100).ShouldBe(
            new EnterStep(EnterStatus.Draining, HeldFor: 30, HeldElsewhere: true, Notify: true));
        Writers().ShouldBe([("b", 33), ("c", 33)]);
    }

    [Fact]
    public void Withdraw_OfAnEndedSession_EndsItsHold()
    {
        Enter("a", 33);
        _state.End("a", at: 1000);
        _state.Withdraw("a", _sequence);
        Enter("b", 34, now: 1000).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public void Resolve_LeftByEndedSessions_EndsTheirHoldsAndNoOther()
    {
        Enter("a", 33);
        Enter("b", 33);
        _state.End("a", at: 1000);
        _state.Resolve().ShouldBe(1);
        _state.Resolve().ShouldBe(0);
        Writers().ShouldBe([("b", 33)]);
    }

    [Fact]
    public void TrySetMark_WhileAnotherSessionIsRegistered_IsRefused()
    {
        Enter("a", 33);
        _state.TrySetMark("b", 1, Hold, now: 0).ShouldBeFalse();
        _state.End("a", at: 1000);
        _state.TrySetMark("b", 1, Hold, now: 1099).ShouldBeFalse();
        _state.Mark.ShouldBe(33);
        _state.TrySetMark("b", 1, Hold, now: 1100).ShouldBeTrue();
        _state.Mark.ShouldBe(1);
        Writers().ShouldBeEmpty();
    }

    [Fact]
    public void TrySetMark_OwnRegistration_Goes()
    {
        Enter("a", 33);
        _state.TrySetMark("a", 0, Hold, now: 0).ShouldBeTrue();
        Writers().ShouldBeEmpty();
        Should.Throw<ArgumentOutOfRangeException>(() => _state.TrySetMark("a", -1, Hold, now: 0));
    }

    [Fact]
    public void Restore_OfAState_GoesOnFromThere()
    {
        Enter("a", 33);
        Enter("b", 33);
        _state.End("a", at: 1000);
        var restored = ResourceState.Restore(_state.Mark, _state.Writers);
        restored.Writers.ShouldBe(_state.Writers);
        restored.Enter("b", 34, 34, ++_sequence, Hold, now: 1050).ShouldBe(
            new EnterStep(EnterStatus.Draining, HeldFor: 50));
        Should.Throw<ArgumentException>(
            () => ResourceState.Restore(1, new RegisteredWriter("a", 1, 1, null), new("a", 1, 2, null)));
    }

    private EnterStep Enter(string session, long token, long? oldest = null, long? sequence = null, long now = 0) =>
        _state.Enter(session, token, oldest ?? token, sequence ?? ++_sequence, Hold, now);

    private IEnumerable<(string Session, long Token)> Writers() => _state.Writers.Select(w => (w.Session, w.Token));
}
