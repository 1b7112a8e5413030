namespace FenceGateway.Fencing.Tests;

public sealed class ActiveWritesTests
{
    private readonly ActiveWrites _writes = new();

    [Fact]
    public void End_LastWriteOfItsToken_SaysSo()
    {
        _writes.Begin(33);
        _writes.Begin(33);
        _writes.Begin(34);
        _writes.Lowest.ShouldBe(33);
        _writes.InFlight.ShouldBe(3);
        _writes.End(33).ShouldBeFalse();
        _writes.HasInFlightBelow(34).ShouldBeTrue();
        _writes.End(33).ShouldBeTrue();
        _writes.HasInFlightBelow(34).ShouldBeFalse();
        _writes.Lowest.ShouldBe(34);
    }

    [Fact]
    public void End_OfAWriteThatNeverBegan_Throws() => Should.Throw<InvalidOperationException>(() => _writes.End(1));

    [Fact]
    public void EndInDoubt_HoldsUntilDue_AndKeepsTheLatestDueTimeOfAToken()
    {
        _writes.Begin(33);
        _writes.Begin(33);
        _writes.EndInDoubt(33, until: 100).ShouldBeFalse();
        _writes.EndInDoubt(33, until: 50).ShouldBeTrue();
        _writes.InDoubt.Count.ShouldBe(1);
        _writes.InDoubtBelowUntil(34).ShouldBe(100);
        _writes.InDoubtBelowUntil(33).ShouldBeNull();
        _writes.Sweep(99).ShouldBeFalse();
        _writes.Lowest.ShouldBe(33);
        _writes.Sweep(100).ShouldBeTrue();
        _writes.IsEmpty.ShouldBeTrue();
        _writes.Lowest.ShouldBe(FenceRule.None);
    }

    [Fact]
    public void Resolve_InDoubt_ForgetsIt()
    {
        _writes.Hold(33, until: 100);
        _writes.Resolve();
        _writes.IsEmpty.ShouldBeTrue();
    }
}
