namespace FenceGateway.TestKit.Tests.History;

/// <summary>
/// Histories broken on purpose: each must be caught under the right name. And close ones that are correct.
/// </summary>
public sealed class HistoryCheckerTests
{
    private readonly HistoryBuilder _history = new();

    [Fact]
    public void Check_LowerTokenAppliedAfterHigher_I1()
    {
        _ = _history.Forward(33);
        _ = _history.Forward(34);
        _ = _history.Forward(33);

        CheckWrites().ShouldBe(["I1"]);
    }

    [Fact]
    public void Check_EarlierArrivalAppliedLater_I1AndI3()
    {
        var old = _history.Send(33);
        _history.Arrive(old);
        _ = _history.Forward(34);
        _history.Finish(old);

        Check().ShouldBe(["I1", "I3"]);
    }

    [Fact]
    public void Check_LateWriteOnAPolicyWithoutBarrier_IsNotJudged()
    {
        var old = _history.Send(33);
        _history.Arrive(old);
        _ = _history.Forward(34);
        _history.Finish(old);

        Check(barrier: false).ShouldBeEmpty();
    }

    [Fact]
    public void Check_OverlapWithoutWrongOrder_I3()
    {
        var old = _history.Send(33);
        var young = _history.Send(34);
        _history.Arrive(old);
        _history.Apply(old);
        _history.Arrive(young);
        _history.End(old);
        _history.Finish(young);

        CheckWrites().ShouldBe(["I3"]);
    }

    [Fact]
    public void Check_OverlapHiddenBehindAShorterWriteOfTheSameToken_I3()
    {
        var hanging = _history.Send(33);
        _history.Arrive(hanging);
        _history.Apply(hanging);
        _ = _history.Forward(33);
        _ = _history.Forward(34);
        _history.End(hanging);

        CheckWrites().ShouldBe(["I3"]);
    }

    [Fact]
    public void Check_HigherTokenHangsWhileLowerArrives_I3()
    {
        var young = _history.Send(34);
        _history.Arrive(young);
        var old = _history.Send(33);
        _history.Arrive(old);
        _history.Finish(old);
        _history.Finish(young);

        // Applied in order, so I1 holds; but 33 was sent after 34 had arrived.
        Check().ShouldBe(["I2", "I3"]);
    }

    [Fact]
    public void Check_WriteThatNeverEndedBeforeAnotherToken_I3()
    {
        var hanging = _history.Send(33);
        _history.Arrive(hanging);
        _ = _history.Forward(34);

        CheckWrites().ShouldBe(["I3"]);
    }

    [Fact]
    public void Check_LowerTokenAdmittedAfterAnAnsweredHigherOne_I2()
    {
        _ = _history.Forward(34);
        var late = _history.Send(33);
        _history.Arrive(late);
        _history.End(late);
        _history.Answer(late, 500);

        // Not even applied: to be admitted is enough.
        Check().ShouldBe(["I2"]);
    }

    [Fact]
    public void Check_MarkForgottenAfterADrainingAnswer_I2()
    {
        var waits = _history.Send(34);
        _history.Draining(waits);
        _ = _history.Forward(33);

        Check().ShouldBe(["I2"]);
    }

    [Fact]
    public void Check_MarkForgottenAfterAnUnansweredArrival_I2()
    {
        var killed = _history.Send(34);
        _history.Arrive(killed);
        _history.End(killed);
        _ = _history.Forward(33);

        Check().ShouldBe(["I2"]);
    }

    [Fact]
    public void Check_StaleTokenAdmittedOnItsSecondTry_I2()
    {
        // 34 was never seen again (its gateway died), but the 409 has said that it was recorded.
        _ = _history.Send(34);
        _history.Stale(_history.Send(33));
        _ = _history.Forward(33);

        Check().ShouldBe(["I2"]);
    }

    [Fact]
    public void Check_LowerTokenToldToWaitInsteadOfStale_I2()
    {
        _ = _history.Forward(34);
        _history.Draining(_history.Send(33));

        Check().ShouldBe(["I2"]);
    }

    [Fact]
    public void Check_LowerTokenAdmittedThatWasSentBefore_NoViolation()
    {
        var early = _history.Send(33);
        var young = _history.Send(34);
        _history.Arrive(early);
        _history.Finish(early);
        _history.Arrive(young);
        _history.Finish(young);

        Check().ShouldBeEmpty();
    }

    [Fact]
    public void Check_StaleWithoutAnyHigherToken_I5()
    {
        _ = _history.Forward(33);
        _history.Stale(_history.Send(33));

        Check().ShouldBe(["I5"]);
    }

    [Fact]
    public void Check_StaleBeforeTheHigherTokenWasSent_I5()
    {
        _history.Stale(_history.Send(33));
        _ = _history.Forward(34);

        Check().ShouldBe(["I5"]);
    }

    [Fact]
    public void Check_StaleWithAWitnessOfAnotherResource_I5()
    {
        _ = _history.Forward(34, "/b");
        _history.Stale(_history.Send(33));

        Check().ShouldBe(["I5"]);
    }

    [Theory]
    [InlineData(429, "rate-limited")]
    [InlineData(409, "fencing-token-stale")]
    [InlineData(503, "circuit-open")]
    [InlineData(400, "ambiguous-target")]
    public void Check_OnlyWitnessWasRefusedBeforeItsAdmission_I5(int status, string problem)
    {
        _history.Answer(_history.Send(34), status, problem);
        _history.Stale(_history.Send(33));

        Check().ShouldBe(["I5"]);
    }

    [Theory]
    [InlineData(503, "fence-draining")]
    [InlineData(503, "token-store-unavailable")]
    [InlineData(504, "upstream-timeout")]
    public void Check_WitnessThatMayHaveBeenRecorded_NoViolation(int status, string problem)
    {
        _history.Answer(_history.Send(34), status, problem);
        _history.Stale(_history.Send(33));

        Check().ShouldBeEmpty();
    }

    [Fact]
    public void Check_WitnessWithoutAnAnswer_NoViolation()
    {
        _ = _history.Send(34);
        _history.Stale(_history.Send(33));

        Check().ShouldBeEmpty();
    }

    [Fact]
    public void Check_WitnessOvertakenWhileItWaited_NoViolation()
    {
        var waits = _history.Send(34);
        _history.Stale(_history.Send(33));
        _ = _history.Send(35);
        _history.Stale(waits);

        Check().ShouldBeEmpty();
    }

    [Fact]
    public void Check_RequestArrivedTwice_I6()
    {
        var twice = _history.Send(33);
        _history.Arrive(twice);
        _history.End(twice);
        _history.Arrive(twice);
        _history.Finish(twice);

        CheckWrites().ShouldBe(["I6"]);
    }

    [Theory]
    [InlineData(409, "fencing-token-stale")]
    [InlineData(503, "fence-draining")]
    [InlineData(503, "token-store-unavailable")]
    [InlineData(428, "fencing-token-required")]
    public void Check_RefusedRequestArrived_R9(int status, string problem)
    {
        _ = _history.Send(34);
        var refused = _history.Send(33);
        _history.Arrive(refused);
        _history.Apply(refused);
        _history.End(refused);
        _history.Answer(refused, status, problem);

        Check().ShouldBe(["R9"]);
    }

    [Fact]
    public void Check_TokenChangedOnItsWay_R10()
    {
        var changed = _history.Send(33);
        _history.Arrive(changed, token: 34);
        _history.Finish(changed);

        Check().ShouldBe(["R10"]);
    }

    [Fact]
    public void Check_TimeoutOfAForwardedWrite_NoViolation()
    {
        var slow = _history.Send(33);
        _history.Arrive(slow);
        _history.Answer(slow, 504, "upstream-timeout");
        _history.Apply(slow);
        _history.End(slow);
        _ = _history.Forward(34);

        Check().ShouldBeEmpty();
    }

    [Fact]
    public void Check_SameTokenWritesOverlap_NoViolation()
    {
        var first = _history.Send(33);
        var second = _history.Send(33);
        _history.Arrive(first);
        _history.Arrive(second);
        _history.Finish(second);
        _history.Finish(first);

        Check().ShouldBeEmpty();
    }

    [Fact]
    public void Check_OtherResourceWithLowerToken_NoViolation()
    {
        var hanging = _history.Send(34);
        _history.Arrive(hanging);
        _ = _history.Forward(33, "/b");
        _history.Finish(hanging);

        Check().ShouldBeEmpty();
    }

    [Fact]
    public void Check_Violation_ExplainsBothEvents()
    {
        _ = _history.Forward(34);
        _ = _history.Forward(33);

        var violation = HistoryChecker.Check(_history.Writes).ShouldHaveSingleItem();

        violation.ToString().ShouldBe(
            "I1 on /a: write 2 with token 33 (arrived 7, applied 8, ended 9) was applied after "
            + "write 1 with token 34 (arrived 2, applied 3, ended 4)");
    }

    [Fact]
    public void Check_EndBeforeArrival_IsNoHistory() =>
        Should.Throw<ArgumentException>(
            () => HistoryChecker.Check([new ServiceWrite("1", "/a", 1, Started: 5, AppliedAt: null, Ended: 4)]));

    [Fact]
    public void Check_RequestIdUsedTwice_IsNoHistory()
    {
        var answer = new GatewayAnswer("1", "/a", 1, Sent: 1, Answered: null, Status: null, Problem: null);

        _ = Should.Throw<ArgumentException>(() => HistoryChecker.Check([], [answer, answer]));
    }

    private List<string> Check(bool barrier = true) =>
        Rules(HistoryChecker.Check(_history.Writes, _history.Answers, barrier));

    private List<string> CheckWrites() => Rules(HistoryChecker.Check(_history.Writes));

    private static List<string> Rules(IEnumerable<HistoryViolation> violations) =>
        [.. violations.Select(v => v.Rule).Order(StringComparer.Ordinal)];
}
