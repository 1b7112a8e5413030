using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Etcd;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>What is decided on what this process knows, which may be old or only a part.</summary>
public sealed class EtcdEnterTests
{
    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(10);

    private readonly ManualTimeProvider _clock = new();
    private readonly GoneSessions _gone;

    public EtcdEnterTests() => _gone = new GoneSessions(_clock);

    [Fact]
    public void Decide_OvertakenAndTheMarkNotHeardOfYet_IsAStepAllTheSame()
    {
        var before = new EtcdResource("a") { Writers = [new EtcdWriter("s", 5, 9)] };
        var step = EtcdEnter.Decide(before, Request(5, sequence: 8), _gone, _clock);
        step.Reply.ShouldBe(new EnterReply(EnterStatus.Draining, new FencingToken(5), HeldElsewhere: true));
        step.After.Writers.ShouldBeSameAs(before.Writers);
    }

    [Fact]
    public void Decide_NothingChanges_KeepsTheListSoThatNothingIsWritten()
    {
        var before =
            new EtcdResource("a") { Mark = 5, Writers = [new EtcdWriter("other", 5, 1), new EtcdWriter("s", 5, 9)] };
        var step = EtcdEnter.Decide(before, Request(5, sequence: 9), _gone, _clock);
        step.Reply.Status.ShouldBe(EnterStatus.Admitted);
        step.After.Writers.ShouldBeSameAs(before.Writers);
    }

    [Fact]
    public void Decide_OthersAreRegistered_AsksWhetherTheyLiveUnlessTheTokenIsStale()
    {
        var alone = new EtcdResource("a") { Mark = 5, Writers = [new EtcdWriter("s", 5, 1)] };
        var among = alone with { Writers = [new EtcdWriter("other", 5, 1)] };
        EtcdEnter.Decide(alone, Request(6), _gone, _clock).AsksSessions.ShouldBeFalse();
        EtcdEnter.Decide(among, Request(6), _gone, _clock).AsksSessions.ShouldBeTrue();
        EtcdEnter.Decide(among, Request(4), _gone, _clock).AsksSessions.ShouldBeFalse();
    }

    [Fact]
    public void Decide_OwnSessionSaidToBeGone_KeepsItsRegistration()
    {
        _gone.Add("s", isClean: true);
        var before = new EtcdResource("a") { Mark = 6, Writers = [new EtcdWriter("s", 5, 1)] };
        var step = EtcdEnter.Decide(before, Request(6, oldest: 5), _gone, _clock);
        step.After.Writers.ShouldBe([new EtcdWriter("s", 5, 2)]);
    }

    [Fact]
    public void Decide_WriterThatIsGone_HoldsBackForTheRestOfTheHoldUnlessItEndedQuietly()
    {
        var before = new EtcdResource("a") { Mark = 5, Writers = [new EtcdWriter("other", 5, 1)] };
        _gone.Add("other");
        _clock.Advance(TimeSpan.FromSeconds(4));
        EtcdEnter.Decide(before, Request(6), _gone, _clock).Reply.RetryAfter.ShouldBe(TimeSpan.FromSeconds(6));
        _gone.Add("other", isClean: true);
        EtcdEnter.Decide(before, Request(6), _gone, _clock).Reply.Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public void Withdraw_OvertakenOrNotRegistered_IsTheResourceItself()
    {
        var before = new EtcdResource("a") { Mark = 5, Writers = [new EtcdWriter("s", 5, 2)] };
        EtcdEnter.Withdraw(before, "s", 1).ShouldBeSameAs(before);
        EtcdEnter.Withdraw(before, "other", 9).ShouldBeSameAs(before);
        EtcdEnter.Withdraw(before, "s", 2).Writers.ShouldBeEmpty();
    }

    private static EnterRequest Request(long token, long? oldest = null, long sequence = 2) =>
        new("s", EtcdGateway.Key("a"), new FencingToken(token), new FencingToken(oldest ?? token), sequence, Hold);
}
