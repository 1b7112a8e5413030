using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Tests.Sessions;

public sealed class GoneSessionsTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly GoneSessions _gone;

    public GoneSessionsTests() => _gone = new GoneSessions(_time);

    [Fact]
    public void Add_SeenAgain_KeepsTheFirstTime()
    {
        _gone.GoneFor("s").ShouldBeNull();
        var since = _gone.Add("s");
        _time.Advance(TimeSpan.FromSeconds(4));
        _gone.Add("s").ShouldBe(since);
        _gone.GoneFor("s").ShouldBe(TimeSpan.FromSeconds(4));
    }

    [Fact]
    public void Add_Quietly_IsLongerAgoThanAnyHoldAndStaysSo()
    {
        _gone.Add("s");
        _gone.Add("s", isClean: true);
        _gone.Add("s").ShouldBe(_gone.Since("s")!.Value);
        _gone.GoneFor("s").ShouldBe(TimeSpan.MaxValue);
    }

    [Fact]
    public void Add_MoreThanItHolds_ForgetsTheOldestOnly()
    {
        for (var i = 0; i <= GoneSessions.Capacity; i++)
        {
            _gone.Add($"s{i}");
            _time.Advance(TimeSpan.FromTicks(1));
        }

        _gone.Since("s0").ShouldBeNull();
        _gone.Since($"s{GoneSessions.Capacity - 1}").ShouldNotBeNull();
        _gone.Since($"s{GoneSessions.Capacity}").ShouldNotBeNull();
    }
}
