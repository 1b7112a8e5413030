using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using FenceGateway.TestKit;
using Polly.CircuitBreaker;

namespace FenceGateway.Gateway.Tests.Resilience.CircuitBreaking;

/// <summary>Random histories of a circuit, each step compared with a model that keeps lists.</summary>
public sealed class CircuitModelTests
{
    private const int Histories = 300;
    private const int Steps = 400;

    [Fact]
    public void Circuit_RandomHistories_DoesWhatTheModelDoes() =>
        new RandomSeed().Run(random =>
        {
            for (var i = 0; i < Histories; i++)
            {
                using var world = new CircuitWorld();
                var history = new History(random, world);
                for (var step = 0; step < Steps; step++)
                {
                    history.Step();
                }
            }
        });

    /// <summary>
    /// Moves in whole seconds, the size of Polly's windows here, so that the model may keep single attempts.
    /// </summary>
    private sealed class History
    {
        private readonly Random _random;
        private readonly CircuitWorld _world;
        private readonly Circuit _circuit;
        private readonly List<(Probe? Probe, int StartedAt)> _open = [];
        private readonly List<(int At, bool Failed)> _window = [];
        private readonly List<(Probe Probe, int At)> _places = [];
        private CircuitState _state = CircuitState.Closed;
        private int _since;
        private int _now;

        public History(Random random, CircuitWorld world)
        {
            (_random, _world) = (random, world);
            _circuit = world.NewCircuit(CircuitWorld.Policy(
                ratio: random.Next(1, 5) / 4.0, minimum: random.Next(2, 6), probes: random.Next(1, 4),
                breakSeconds: random.Next(1, 6)));
        }

        private int Break => (int)_circuit.Policy.BreakDuration.TotalSeconds;

        private CircuitState Shown =>
            _state == CircuitState.Open && _now - _since >= Break ? CircuitState.HalfOpen : _state;

        public void Step()
        {
            switch (_random.Next(20))
            {
                case < 8:
                    Begin();
                    break;
                case < 16 when _open.Count > 0:
                    End(_random.Next(_open.Count));
                    break;
                case 16 when _random.Next(8) == 0:
                    _circuit.Isolate("why");
                    Move(CircuitState.Isolated);
                    break;
                case 17 when _random.Next(2) == 0:
                    _circuit.Close("why");
                    _window.Clear();
                    Move(CircuitState.Closed);
                    break;
                case > 17:
                    var seconds = _random.Next(1, 4);
                    _world.Advance(seconds);
                    _now += seconds;
                    break;
            }

            _circuit.State.ShouldBe(Shown);
            _circuit.IsClosed.ShouldBe(_state == CircuitState.Closed);
        }

        private void Begin()
        {
            if (_circuit.IsClosed)
            {
                _open.Add((null, _now));
                return;
            }

            var probe = _circuit.TryProbe();
            if (Shown == CircuitState.HalfOpen)
            {
                Move(CircuitState.HalfOpen);
                _places.RemoveAll(p => _now - p.At >= Break);
            }

            (probe is not null).ShouldBe(
                _state == CircuitState.HalfOpen && _places.Count < _circuit.Policy.HalfOpenProbes);
            if (probe is not null)
            {
                _places.Add((probe.Value, _now));
                _open.Add((probe, _now));
            }
        }

        private void End(int index)
        {
            var (probe, startedAt) = _open[index];
            _open.RemoveAt(index);
            var fault = (AttemptFault)_random.Next(Enum.GetValues<AttemptFault>().Length);
            var result = new AttemptResult(ForwardEnd.Answered, fault, 200, TimeSpan.FromSeconds(_now - startedAt));
            bool? failed = fault is AttemptFault.Unreachable or AttemptFault.TimedOut or AttemptFault.Broken ? true
                : fault == AttemptFault.None ? false : null;
            _circuit.Report(result);
            if (failed is not null && _state == CircuitState.Closed && startedAt >= _since)
            {
                Count(failed.Value);
            }

            if (probe is not null)
            {
                _circuit.EndProbe(probe.Value, result);
                _places.RemoveAll(p => p.Probe == probe);
                if (failed is not null && _state == CircuitState.HalfOpen && startedAt >= _since)
                {
                    _window.Clear();
                    Move(failed.Value ? CircuitState.Open : CircuitState.Closed);
                }
            }
        }

        private void Count(bool failed)
        {
            _window.RemoveAll(a => _now - a.At >= 10);
            _window.Add((_now, failed));
            if (failed && _window.Count >= _circuit.Policy.MinimumThroughput
                && _window.Count(a => a.Failed) >= _circuit.Policy.FailureRatio * _window.Count)
            {
                Move(CircuitState.Open);
            }
        }

        private void Move(CircuitState state)
        {
            if (state != _state)
            {
                (_state, _since) = (state, _now);
                _places.Clear();
            }
        }
    }
}
