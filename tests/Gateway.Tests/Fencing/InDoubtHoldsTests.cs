using FenceGateway.Gateway.Fencing;

namespace FenceGateway.Gateway.Tests.Fencing;

public sealed class InDoubtHoldsTests
{
    private readonly InDoubtHolds _holds = new();

    [Fact]
    public void Longest_NoPolicy_IsZero() => _holds.Longest.ShouldBe(TimeSpan.Zero);

    [Fact]
    public void Longest_PolicyGone_StillCounts()
    {
        _holds.Apply([Policy("short", 5), Policy("long", 60)]);
        _holds.Apply([Policy("short", 7)]);
        _holds.Longest.ShouldBe(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public void Longest_PolicyChanged_CountsAsItIsNow()
    {
        _holds.Apply([Policy("p", 60)]);
        _holds.Apply([Policy("P", 7)]);
        _holds.Longest.ShouldBe(TimeSpan.FromSeconds(7));
    }

    private static FencingPolicy Policy(string name, int seconds) =>
        FencingPolicies.WithHeaders() with { Name = name, InDoubtHold = TimeSpan.FromSeconds(seconds) };
}
