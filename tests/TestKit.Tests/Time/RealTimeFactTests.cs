namespace FenceGateway.TestKit.Tests.Time;

public sealed class RealTimeFactTests
{
    private static int _rounds;
    private readonly List<int> _own = [];

    [RealTimeFact]
    public void RealTimeFact_FailsWhileTheMachineStoodStill_IsRunAgainFromNothing()
    {
        _own.Add(Interlocked.Increment(ref _rounds));
        if (_rounds == 1)
        {
            Canary.Seen.Add(TimeSpan.FromSeconds(1));
        }

        _own.ShouldBe([2]);
    }
}
