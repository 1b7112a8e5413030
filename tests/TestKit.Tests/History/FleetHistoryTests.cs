namespace FenceGateway.TestKit.Tests.History;

/// <summary>Histories of two gateways, A and B, broken on purpose; and close ones that are correct.</summary>
public sealed class FleetHistoryTests
{
    private const string A = "A";
    private const string B = "B";

    private readonly HistoryBuilder _history = new();

    [Fact]
    public void Check_OldTokenAdmittedByTheOtherGateway_I1AndI2()
    {
        _ = _history.Forward(33, gateway: A);
        _ = _history.Forward(34, gateway: B);
        _ = _history.Forward(33, gateway: A);

        Check().ShouldBe(["I1", "I2"]);
    }

    [Fact]
    public void Check_RegisteredHolderGoesOnWhileANewerOneWaitsElsewhere_NoViolation()
    {
        _ = _history.Forward(33, gateway: A);
        var waits = _history.Send(34, gateway: B);
        _history.Draining(waits, mark: 34);
        _history.Stale(_history.Send(33, gateway: B), mark: 34);
        _ = _history.Forward(33, gateway: A);

        Check().ShouldBeEmpty();
    }

    [Fact]
    public void Check_GatewayGoesBackBehindItsOwnWord_I2()
    {
        _ = _history.Forward(33, gateway: A);
        _history.Draining(_history.Send(34, gateway: A));
        _ = _history.Forward(33, gateway: A);

        Check().ShouldBe(["I2"]);
    }

    [Fact]
    public void Check_OldTokenNewToAGatewayAfterTheMarkWasTold_I9()
    {
        _ = _history.Send(33, gateway: B);
        _history.Draining(_history.Send(34, gateway: B));
        _ = _history.Forward(33, gateway: A);

        Check().ShouldBe(["I9"]);
    }

    [Fact]
    public void Check_OldTokenNewToAGatewayAfterAMarkWasShown_I9()
    {
        _ = _history.Send(35, gateway: B);
        _history.Stale(_history.Send(33, gateway: B), mark: 35);
        _ = _history.Forward(34, gateway: A);

        Check().ShouldBe(["I9"]);
    }

    [Fact]
    public void Check_ShownMarkThatNobodyPresented_I9()
    {
        _ = _history.Forward(34, gateway: A);
        _history.Stale(_history.Send(33, gateway: A), mark: 36);

        Check().ShouldBe(["I9"]);
    }

    [Fact]
    public void Check_ShownMarkNotAboveTheStaleToken_I9()
    {
        _ = _history.Forward(34, gateway: A);
        _history.Stale(_history.Send(33, gateway: A), mark: 33);

        Check().ShouldBe(["I9"]);
    }

    [Fact]
    public void Check_GatewayShowsALowerMarkThanBefore_I9()
    {
        _ = _history.Send(34, gateway: A);
        _ = _history.Send(35, gateway: A);
        _history.Stale(_history.Send(33, gateway: A), mark: 35);
        _history.Stale(_history.Send(33, gateway: A), mark: 34);

        Check().ShouldBe(["I9"]);
    }

    [Fact]
    public void Check_OtherGatewayShowsAnOlderMark_NoViolation()
    {
        // Stale is told from memory, which may be behind: it still is stale.
        _ = _history.Send(34, gateway: A);
        _history.Stale(_history.Send(33, gateway: A), mark: 34);
        _ = _history.Send(35, gateway: B);
        _history.Stale(_history.Send(33, gateway: B), mark: 35);
        _history.Stale(_history.Send(33, gateway: A), mark: 34);

        Check().ShouldBeEmpty();
    }

    [Fact]
    public void Check_NewTokenAdmittedWithoutAStore_I4()
    {
        var gone = _history.Now();
        _ = _history.Forward(33, gateway: A);

        Check(Outage(gone, long.MaxValue)).ShouldBe(["I4"]);
    }

    [Fact]
    public void Check_ReadAdmittedWithoutAStore_I4()
    {
        var gone = _history.Now();
        _history.Answer(_history.Send(33, gateway: A), 200);

        Check(Outage(gone, long.MaxValue)).ShouldBe(["I4"]);
    }

    [Fact]
    public void Check_SteadyTokenWithoutAStoreWhileSessionsLast_NoViolation()
    {
        _ = _history.Forward(33, gateway: A);
        var gone = _history.Now();
        _ = _history.Forward(33, gateway: A);
        _history.Unavailable(_history.Send(34, gateway: A));

        Check(Outage(gone, _history.Now())).ShouldBeEmpty();
    }

    [Fact]
    public void Check_SteadyTokenWithoutAStoreAfterTheSessions_I4()
    {
        _ = _history.Forward(33, gateway: A);
        var gone = _history.Now();
        var over = _history.Now();
        _ = _history.Forward(33, gateway: A);

        Check(Outage(gone, over)).ShouldBe(["I4"]);
    }

    [Fact]
    public void Check_SteadyTokenNewToTheGatewayWithoutAStore_I4()
    {
        _ = _history.Forward(33, gateway: A);
        var gone = _history.Now();
        _ = _history.Forward(33, gateway: B);

        Check(Outage(gone, long.MaxValue)).ShouldBe(["I4"]);
    }

    [Fact]
    public void Check_StoreGoneForTheOtherGatewayOnly_NoViolation()
    {
        var gone = _history.Now();
        _ = _history.Forward(33, gateway: A);

        Check(Outage(gone, gone) with { Gateway = B }).ShouldBeEmpty();
    }

    [Fact]
    public void Check_AdmittedAfterTheStoreCameBack_NoViolation()
    {
        var gone = _history.Now();
        var waits = _history.Send(33, gateway: A);
        var outage = new StoreOutage(gone, gone, _history.Now());
        _history.Arrive(waits);
        _history.Finish(waits);

        Check(outage).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(4, true)]
    public void Check_HighestHolderAfterAFault_I7WhenItTookTooLong(int seconds, bool tooLong)
    {
        var history = History() with
        {
            Recoveries = [new Recovery("/a", 34, A, TimeSpan.FromSeconds(seconds))],
            RecoveryBound = TimeSpan.FromSeconds(3),
        };

        Rules(HistoryChecker.Check(history)).ShouldBe(tooLong ? ["I7"] : []);
    }

    [Theory]
    [InlineData(503, "token-store-unavailable")]
    [InlineData(503, "fence-draining")]
    [InlineData(409, "fencing-token-stale")]
    public void Check_BystanderRefusedDuringAFault_I8(int status, string problem)
    {
        _ = _history.Send(32, "/b", B);
        _ = _history.Send(34, "/b", B);
        var from = _history.Now();
        _history.Answer(_history.Send(33, "/b", B), status, problem);

        var history = History() with { Bystanders = [new Bystander("/b", from, _history.Now())] };

        Rules(HistoryChecker.Check(history)).ShouldBe(["I8"]);
    }

    [Fact]
    public void Check_BystanderWithoutAnAnswer_I8()
    {
        var from = _history.Now();
        _ = _history.Send(33, "/b", B);

        var history = History() with { Bystanders = [new Bystander("/b", from, _history.Now())] };

        Rules(HistoryChecker.Check(history)).ShouldBe(["I8"]);
    }

    [Fact]
    public void Check_BystanderRefusedBeforeAndAfterTheFault_NoViolation()
    {
        _history.Unavailable(_history.Send(33, "/b", B));
        var from = _history.Now();
        _ = _history.Forward(33, "/b", B);
        var until = _history.Now();
        _history.Unavailable(_history.Send(33, "/b", B));

        var history = History() with { Bystanders = [new Bystander("/b", from, until)] };

        HistoryChecker.Check(history).ShouldBeEmpty();
    }

    [Fact]
    public void Check_ToldToWaitForAnotherResource_I8()
    {
        _ = _history.Forward(33, "/b", A);
        _history.Draining(_history.Send(34, gateway: B));

        Check().ShouldBe(["I8"]);
    }

    private static StoreOutage Outage(long gone, long sessionsOver) => new(gone, sessionsOver, long.MaxValue);

    private FleetHistory History() => new() { Writes = _history.Writes, Answers = _history.Answers };

    private List<string> Check(params StoreOutage[] outages) =>
        Rules(HistoryChecker.Check(History() with { Outages = outages }));

    private static List<string> Rules(IEnumerable<HistoryViolation> violations) =>
        [.. violations.Select(v => v.Rule).Order(StringComparer.Ordinal)];
}
