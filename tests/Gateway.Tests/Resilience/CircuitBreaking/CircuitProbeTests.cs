using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using Polly.CircuitBreaker;

namespace FenceGateway.Gateway.Tests.Resilience.CircuitBreaking;

public sealed class CircuitProbeTests : IDisposable
{
    private readonly CircuitWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public void TryProbe_BeforeTheBreakIsOver_IsRefused()
    {
        var circuit = Opened(1);
        _world.Advance(4.999);
        circuit.TryProbe().ShouldBeNull();
        circuit.State.ShouldBe(CircuitState.Open);
        _world.Advance(0.001);
        circuit.State.ShouldBe(CircuitState.HalfOpen);
        circuit.TryProbe().ShouldNotBeNull();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task TryProbe_ByManyAtOnce_IsGrantedToAsManyAsMay(int probes)
    {
        var circuit = Opened(probes);
        _world.Advance(5);
        using var start = new Barrier(8);
        var granted = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            start.SignalAndWait();
            return Enumerable.Range(0, 50).Count(_ => circuit.TryProbe() is not null);
        })));

        granted.Sum().ShouldBe(probes);
    }

    [Fact]
    public void EndProbe_Success_Closes()
    {
        var circuit = Opened(1);
        _world.Advance(5);
        circuit.EndProbe(circuit.TryProbe()!.Value, CircuitWorld.Status(200));
        circuit.IsClosed.ShouldBeTrue();
        circuit.Look().Reason.ShouldBe("a probe succeeded");
    }

    [Fact]
    public void EndProbe_Failure_OpensForAnotherBreak()
    {
        var circuit = Opened(1);
        _world.Advance(7);
        circuit.EndProbe(circuit.TryProbe()!.Value, CircuitWorld.Fault(AttemptFault.TimedOut));

        circuit.RetryAfter.ShouldBe(TimeSpan.FromSeconds(5));
        circuit.Look().Reason.ShouldBe("a probe failed: upstream-timeout");
    }

    public static TheoryData<object?> Neutral =>
        new((object?)null, CircuitWorld.Fault(AttemptFault.Client), CircuitWorld.Fault(AttemptFault.Gateway));

    [Theory]
    [MemberData(nameof(Neutral))]
    public void EndProbe_SaysNothing_GivesThePlaceBackAndDecidesNothing(object? result)
    {
        var circuit = Opened(1);
        _world.Advance(5);
        var probe = circuit.TryProbe()!.Value;
        circuit.TryProbe().ShouldBeNull();

        circuit.EndProbe(probe, (AttemptResult?)result);

        circuit.State.ShouldBe(CircuitState.HalfOpen);
        circuit.EndProbe(circuit.TryProbe()!.Value, CircuitWorld.Status(200));
        circuit.IsClosed.ShouldBeTrue();
    }

    [Fact]
    public void EndProbe_OfAnEarlierBreak_DecidesNothing()
    {
        var circuit = Opened(2);
        _world.Advance(5);
        var (first, second) = (circuit.TryProbe()!.Value, circuit.TryProbe()!.Value);
        circuit.EndProbe(first, CircuitWorld.Status(503));
        _world.Advance(5);
        circuit.TryProbe().ShouldNotBeNull();

        circuit.EndProbe(second, CircuitWorld.Status(200));

        circuit.State.ShouldBe(CircuitState.HalfOpen);
        circuit.TryProbe().ShouldNotBeNull();
        circuit.TryProbe().ShouldBeNull();
    }

    [Fact]
    public void EndProbe_AfterTheFirstHasClosed_AFailureIsOneOfMany()
    {
        var circuit = Opened(2);
        _world.Advance(5);
        var (first, second) = (circuit.TryProbe()!.Value, circuit.TryProbe()!.Value);
        _world.Advance(1);
        circuit.EndProbe(first, CircuitWorld.Status(200));

        circuit.EndProbe(second, CircuitWorld.Status(503));

        circuit.IsClosed.ShouldBeTrue();
    }

    [Fact]
    public void TryProbe_TheOnlyProbeNeverEnds_AnotherMayGoAfterAsLongAsTheBreak()
    {
        var circuit = Opened(1);
        _world.Advance(5);
        var stuck = circuit.TryProbe()!.Value;
        _world.Advance(5);
        var next = circuit.TryProbe()!.Value;
        circuit.TryProbe().ShouldBeNull();

        circuit.EndProbe(stuck, null);

        circuit.TryProbe().ShouldBeNull();
        circuit.EndProbe(next, CircuitWorld.Status(200));
        circuit.IsClosed.ShouldBeTrue();
    }

    [Fact]
    public void EndProbe_IsolatedMeanwhile_StaysIsolated()
    {
        var circuit = Opened(1);
        _world.Advance(5);
        var probe = circuit.TryProbe()!.Value;
        circuit.Isolate("maintenance");

        circuit.EndProbe(probe, CircuitWorld.Status(200));

        circuit.State.ShouldBe(CircuitState.Isolated);
    }

    private Circuit Opened(int probes)
    {
        var circuit = _world.NewCircuit(CircuitWorld.Policy(probes: probes));
        CircuitWorld.Open(circuit);
        return circuit;
    }
}
