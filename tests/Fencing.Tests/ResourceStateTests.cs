using FsCheck;
using FsCheck.Fluent;

namespace FenceGateway.Fencing.Tests;

public sealed class ResourceStateTests
{
    private readonly ResourceState _state = new();

    [Fact]
    public void Enter_TokenBelowTheMark_IsStaleAndChangesNothing()
    {
        Enter("a", 34).ShouldBe(EnterStatus.Admitted);
        Enter("b", 33).ShouldBe(EnterStatus.Stale);
        _state.Mark.ShouldBe(34);
        _state.Writers.ShouldBe([new("a", 34)]);
    }

    [Fact]
    public void Enter_TokenAtTheMark_IsAdmittedAgain()
    {
        Enter("a", 34).ShouldBe(EnterStatus.Admitted);
        Enter("a", 34).ShouldBe(EnterStatus.Admitted);
        Enter("b", 34).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public void Enter_OlderWriterElsewhere_SealsAndDrains()
    {
        Enter("a", 33);
        Enter("b", 34).ShouldBe(EnterStatus.Draining);
        _state.Mark.ShouldBe(34);
        Enter("a", 33).ShouldBe(EnterStatus.Stale);
        _state.Withdraw("a");
        Enter("b", 34).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public void Enter_OwnOlderWriteInFlight_KeepsTheRegistrationWhereItIs()
    {
        Enter("a", 33);
        Enter("a", 34, oldest: 33).ShouldBe(EnterStatus.Draining);
        _state.Writers["a"].ShouldBe(33);
        Enter("b", 34).ShouldBe(EnterStatus.Draining);
        Enter("a", 34).ShouldBe(EnterStatus.Admitted);
        Enter("b", 34).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public void Enter_OldIdleRegistrationOfTheSameSession_DoesNotHoldOthersBack()
    {
        Enter("a", 33);
        _state.Enter("b", 33, 33, now: 0);
        Enter("a", 34).ShouldBe(EnterStatus.Draining, "b may still write with 33");
        Enter("b", 35).ShouldBe(EnterStatus.Admitted, "a's registration had nothing in flight any more");
    }

    [Fact]
    public void Expire_OfAWriter_HoldsNewerTokensBackUntilItIsDue()
    {
        Enter("a", 33);
        _state.Expire("a", until: 100);
        Enter("b", 34, now: 99).ShouldBe(EnterStatus.Draining);
        Enter("b", 34, now: 100).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public void Resolve_InDoubt_EndsTheHold()
    {
        Enter("a", 33);
        _state.Expire("a", until: 100);
        _state.Resolve();
        Enter("b", 34).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public void TrySetMark_WhileAnythingIsActive_IsRefused()
    {
        Enter("a", 33);
        _state.TrySetMark(1, now: 0).ShouldBeFalse();
        _state.Expire("a", until: 100);
        _state.TrySetMark(1, now: 99).ShouldBeFalse();
        _state.TrySetMark(1, now: 100).ShouldBeTrue();
        _state.Mark.ShouldBe(1);
    }

    /// <summary>Random sessions entering, writing and leaving: whoever is admitted overlaps with no older write.</summary>
    [Fact]
    public void Enter_RandomSequences_NeverAdmitsBesideAnOlderWrite()
    {
        var steps = Gen.Choose(0, 2).SelectMany(s => Gen.Choose(1, 5).SelectMany(
            t => Gen.Choose(0, 3).Select(k => (Session: s, Token: (long)t, Kind: k))));
        Prop.ForAll(Gen.ListOf(steps).ToArbitrary(), run =>
        {
            var state = new ResourceState();
            var inFlight = new ActiveWrites[] { new(), new(), new() };
            long mark = 0;
            foreach (var (session, token, kind) in run)
            {
                var own = inFlight[session];
                if (kind == 0)
                {
                    // A gateway withdraws when nothing of it is in flight any more.
                    while (!own.IsEmpty)
                    {
                        own.End(own.Lowest);
                    }

                    state.Withdraw($"{session}");
                    continue;
                }

                var status = state.Enter($"{session}", token, Math.Min(token, own.Lowest), now: 0);
                if (state.Mark < mark || (status == EnterStatus.Stale) != (token < mark))
                {
                    return false;
                }

                mark = state.Mark;
                if (status == EnterStatus.Admitted)
                {
                    if (inFlight.Any(w => w.Lowest < token))
                    {
                        return false;
                    }

                    own.Begin(token);
                }
            }

            return true;
        }).QuickCheckThrowOnFailure();
    }

    private EnterStatus Enter(string session, long token, long? oldest = null, long now = 0) =>
        _state.Enter(session, token, oldest ?? token, now);
}
