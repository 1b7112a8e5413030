using FenceGateway.Gateway.Forwarding;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.Tests.Forwarding;

public sealed class ForwardDeadlineTests
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Total = TimeSpan.FromSeconds(5);
    private readonly ManualTimeProvider _time = new();
    private readonly ForwardDeadline.Pool _pool;

    public ForwardDeadlineTests() => _pool = new ForwardDeadline.Pool(_time);

    [Fact]
    public void FirstByte_NoHead_Passes()
    {
        var deadline = _pool.Start(First, Total, CancellationToken.None, CancellationToken.None);
        _time.Advance(First);

        deadline.HasPassed.ShouldBeTrue();
    }

    [Fact]
    public void HeadArrived_InTime_TheTotalCountsFromTheStart()
    {
        var deadline = _pool.Start(First, Total, CancellationToken.None, CancellationToken.None);
        _time.Advance(First / 2);
        deadline.HeadArrived(isUpgrade: false);
        _time.Advance(Total - (First / 2) - TimeSpan.FromTicks(1));
        deadline.HasPassed.ShouldBeFalse();
        _time.Advance(TimeSpan.FromTicks(1));

        deadline.HasPassed.ShouldBeTrue();
    }

    [Fact]
    public void HeadArrived_OfAnUpgrade_NothingEndsTheTunnel()
    {
        var deadline = _pool.Start(First, Total, CancellationToken.None, CancellationToken.None);
        deadline.HeadArrived(isUpgrade: true);
        _time.Advance(TimeSpan.FromDays(1));

        deadline.IsCancellationRequested.ShouldBeFalse();
    }

    [Fact]
    public void Client_Leaves_EndsTheAttemptWithoutATimeout()
    {
        using var client = new CancellationTokenSource();
        var deadline = _pool.Start(First, Timeout.InfiniteTimeSpan, client.Token, CancellationToken.None);
        client.Cancel();

        deadline.IsCancellationRequested.ShouldBeTrue();
        deadline.IsClientGone.ShouldBeTrue();
        deadline.HasPassed.ShouldBeFalse();
    }

    [Fact]
    public void Session_Ends_EndsTheAttemptWithoutATimeout()
    {
        using var session = new CancellationTokenSource();
        var deadline = _pool.Start(First, Total, CancellationToken.None, session.Token);
        session.Cancel();

        deadline.IsCancellationRequested.ShouldBeTrue();
        deadline.IsSessionOver.ShouldBeTrue();
        deadline.HasPassed.ShouldBeFalse();
        _pool.Return(deadline);
        _pool.Start(First, Total, CancellationToken.None, CancellationToken.None).ShouldNotBeSameAs(deadline);
    }

    [Fact]
    public void Session_HasEndedBefore_EndsTheAttemptAtOnce() =>
        _pool.Start(First, Total, CancellationToken.None, new CancellationToken(canceled: true)).IsSessionOver
            .ShouldBeTrue();

    [Fact]
    public void Return_OneThatNobodyEnded_IsLentAgainAndHearsNothingOfItsFirstClientAndSession()
    {
        // .NET resets a source on its own clock only.
        var pool = new ForwardDeadline.Pool(TimeProvider.System);
        using var client = new CancellationTokenSource();
        using var session = new CancellationTokenSource();
        var deadline = pool.Start(TimeSpan.FromHours(1), TimeSpan.FromHours(2), client.Token, session.Token);
        pool.Return(deadline);
        var next = pool.Start(null, Timeout.InfiniteTimeSpan, CancellationToken.None, CancellationToken.None);
        client.Cancel();
        session.Cancel();

        next.ShouldBeSameAs(deadline);
        next.IsCancellationRequested.ShouldBeFalse();
    }

    [Fact]
    public void Return_OneThatHasPassed_IsNotLentAgain()
    {
        var deadline = _pool.Start(First, Total, CancellationToken.None, CancellationToken.None);
        _time.Advance(First);
        _pool.Return(deadline);

        _pool.Start(First, Total, CancellationToken.None, CancellationToken.None).ShouldNotBeSameAs(deadline);
    }
}
