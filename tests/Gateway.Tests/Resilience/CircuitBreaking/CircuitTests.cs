using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using Polly.CircuitBreaker;

namespace FenceGateway.Gateway.Tests.Resilience.CircuitBreaking;

public sealed class CircuitTests : IDisposable
{
    private readonly CircuitWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public void Report_RatioReachedWithEnoughAttempts_Opens()
    {
        var circuit = _world.NewCircuit();
        circuit.Report(CircuitWorld.Status(200));
        circuit.Report(CircuitWorld.Status(200));
        circuit.Report(CircuitWorld.Status(503));
        circuit.IsClosed.ShouldBeTrue();

        circuit.Report(CircuitWorld.Fault(AttemptFault.Unreachable));

        circuit.IsClosed.ShouldBeFalse();
        circuit.State.ShouldBe(CircuitState.Open);
        var now = _world.Time.GetUtcNow();
        circuit.Look().ShouldBe(new CircuitSnapshot(
            CircuitState.Open, now, now.AddSeconds(5),
            "2 of 4 attempts failed within 10 s, last: upstream-unreachable", new CircuitCounts(2, 2, 0, 0, 0)));
    }

    [Fact]
    public void Report_OneAttemptShortOfTheMinimum_StaysClosed()
    {
        var circuit = _world.NewCircuit(CircuitWorld.Policy(minimum: 20));
        for (var i = 0; i < 19; i++)
        {
            circuit.Report(CircuitWorld.Status(503));
        }

        circuit.IsClosed.ShouldBeTrue();
        circuit.Report(CircuitWorld.Status(503));
        circuit.IsClosed.ShouldBeFalse();
    }

    [Fact]
    public void Report_RatioJustMissed_StaysClosed()
    {
        var circuit = _world.NewCircuit(CircuitWorld.Policy(ratio: 0.6, minimum: 4));
        for (var i = 0; i < 50; i++)
        {
            circuit.Report(CircuitWorld.Status(200));
            circuit.Report(CircuitWorld.Status(502));
        }

        circuit.IsClosed.ShouldBeTrue();
    }

    [Fact]
    public void Report_FailuresOlderThanTheSamplingDuration_CountNoMore()
    {
        var circuit = _world.NewCircuit();
        for (var i = 0; i < 3; i++)
        {
            circuit.Report(CircuitWorld.Status(503));
        }

        _world.Advance(10);
        for (var i = 0; i < 3; i++)
        {
            circuit.Report(CircuitWorld.Status(503));
        }

        circuit.IsClosed.ShouldBeTrue();
        circuit.Report(CircuitWorld.Status(503));
        circuit.IsClosed.ShouldBeFalse();
    }

    [Fact]
    public void Report_SlowAnswers_AreFailures()
    {
        var circuit = _world.NewCircuit(CircuitWorld.Policy(slow: TimeSpan.FromSeconds(1)));
        _world.Advance(2);
        for (var i = 0; i < 4; i++)
        {
            circuit.Report(CircuitWorld.Status(200, TimeSpan.FromSeconds(1.5)));
        }

        circuit.Look().Reason.ShouldBe("4 of 4 attempts failed within 10 s, last: an answer after 1.5 s");
        circuit.Look().Counts.ShouldBe(new CircuitCounts(0, 0, 4, 0, 0));
    }

    [Theory]
    [InlineData(nameof(AttemptFault.Client))]
    [InlineData(nameof(AttemptFault.Gateway))]
    public void Report_AStormThatSaysNothingOfTheService_IsNotCounted(string fault)
    {
        var circuit = _world.NewCircuit(CircuitWorld.Policy(minimum: 2));
        for (var i = 0; i < 1000; i++)
        {
            circuit.Report(CircuitWorld.Fault(Enum.Parse<AttemptFault>(fault)));
        }

        circuit.Report(CircuitWorld.Status(503));
        circuit.IsClosed.ShouldBeTrue();
        circuit.Look().Counts.ShouldBe(new CircuitCounts(0, 1, 0, 1000, 0));
    }

    [Fact]
    public void Report_AttemptsThatBeganBeforeTheCircuitClosed_DoNotOpenItAgain()
    {
        var circuit = _world.NewCircuit();
        _world.Advance(1);
        CircuitWorld.Open(circuit);
        _world.Advance(5);
        circuit.EndProbe(circuit.TryProbe()!.Value, CircuitWorld.Status(200));
        _world.Advance(1);

        for (var i = 0; i < 20; i++)
        {
            circuit.Report(CircuitWorld.Fault(AttemptFault.TimedOut, TimeSpan.FromSeconds(6.5)));
        }

        circuit.IsClosed.ShouldBeTrue();
        CircuitWorld.Open(circuit);
        circuit.IsClosed.ShouldBeFalse();
    }

    [Fact]
    public void Report_WhileOpen_NeitherProlongsNorCloses()
    {
        var circuit = _world.NewCircuit();
        CircuitWorld.Open(circuit);
        _world.Advance(3);
        circuit.Report(CircuitWorld.Status(200));
        circuit.Report(CircuitWorld.Status(503));

        circuit.RetryAfter.ShouldBe(TimeSpan.FromSeconds(2));
        _world.Advance(2);
        circuit.Report(CircuitWorld.Status(200));
        circuit.State.ShouldBe(CircuitState.HalfOpen);
        circuit.TryProbe().ShouldNotBeNull();
    }

    [Fact]
    public void Isolate_WhateverIsReported_StaysIsolatedUntilClosed()
    {
        var circuit = _world.NewCircuit();
        circuit.Isolate("maintenance");
        _world.Advance(3600);
        circuit.Report(CircuitWorld.Status(200));

        circuit.TryProbe().ShouldBeNull();
        circuit.State.ShouldBe(CircuitState.Isolated);
        circuit.IsolatedFor.ShouldBe("maintenance");
        circuit.RetryAfter.ShouldBe(TimeSpan.FromSeconds(5));

        circuit.Close("done");
        circuit.IsClosed.ShouldBeTrue();
        circuit.IsolatedFor.ShouldBeNull();
        circuit.Look().Reason.ShouldBe("done");
    }

    [Fact]
    public void Close_OpenCircuit_ForgetsWhatOpenedIt()
    {
        var circuit = _world.NewCircuit();
        CircuitWorld.Open(circuit);
        circuit.Close("repaired");

        circuit.Report(CircuitWorld.Status(503));
        circuit.IsClosed.ShouldBeTrue();
    }

    [Fact]
    public void Transitions_AreLoggedWithTheirReasonAndCounted()
    {
        var circuit = _world.NewCircuit();
        CircuitWorld.Open(circuit);
        _world.Advance(5);
        circuit.EndProbe(circuit.TryProbe()!.Value, CircuitWorld.Status(503));
        _world.Advance(5);
        circuit.EndProbe(circuit.TryProbe()!.Value, CircuitWorld.Status(200));

        _world.Logged.Select(l => l.Id).ShouldBe([1601, 1602, 1601, 1602, 1603]);
        _world.Logged.First().Text.ShouldBe(
            "The circuit of destination a of cluster orders (default) is open for 00:00:05: "
            + "4 of 4 attempts failed within 10 s, last: upstream-timeout");
        _world.Logged.ElementAt(2).Text.ShouldEndWith(": a probe failed: status 503");
        _world.Measured.Where(m => m.StartsWith("transitions", StringComparison.Ordinal)).ShouldBe([
            "transitions orders a default open",
            "transitions orders a default half-open",
            "transitions orders a default open",
            "transitions orders a default half-open",
            "transitions orders a default closed",
        ]);
        _world.Measured.Count(m => m == "attempts orders a default failed").ShouldBe(4);
    }
}
