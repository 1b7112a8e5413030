using System.Diagnostics.Metrics;
using Polly.CircuitBreaker;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>
/// The instruments of circuit breakers. Tags are from closed sets: configured names, state, and verdict.
/// </summary>
internal sealed class CircuitMetrics
{
    private readonly Meter _meter;
    private readonly Counter<long> _transitions;
    private readonly Counter<long> _shed;
    private readonly Counter<long> _attempts;

    public CircuitMetrics(IMeterFactory meters)
    {
        _meter = meters.Create("FenceGateway");
        _transitions = _meter.CreateCounter<long>(
            "fencegateway.circuit.transitions", "{transition}", "Changes of circuits, by the state that they went to.");
        _shed = _meter.CreateCounter<long>(
            "fencegateway.circuit.shed", "{request}", "Requests refused because every destination's circuit was open.");
        _attempts = _meter.CreateCounter<long>(
            "fencegateway.circuit.attempts", "{attempt}",
            "Attempts that circuits were told of, by what they say about the destination.");
    }

    /// <summary>Adds the gauge of the circuits that there are at the time of looking.</summary>
    public void Watch(Func<IEnumerable<Circuit>> circuits) => _meter.CreateObservableGauge(
        "fencegateway.circuit.state",
        () => circuits().Select(circuit => new Measurement<int>(
            circuit.State.Severity(), Cluster(circuit.Name), Destination(circuit.Name), Policy(circuit.Name.Policy))),
        "{state}",
        "State of a circuit: 0 closed, 1 half-open, 2 open, 3 isolated.");

    public void Changed(CircuitName name, CircuitState state) => _transitions.Add(
        1, Cluster(name), Destination(name), Policy(name.Policy),
        new KeyValuePair<string, object?>("fencegateway.state", state.Name()));

    public void Shed(string cluster, string policy) =>
        _shed.Add(1, new KeyValuePair<string, object?>("fencegateway.cluster", cluster), Policy(policy));

    public void Attempted(CircuitName name, AttemptVerdict verdict)
    {
        if (_attempts.Enabled)
        {
            _attempts.Add(
                1, Cluster(name), Destination(name), Policy(name.Policy),
                new KeyValuePair<string, object?>("fencegateway.verdict", verdict.Name()));
        }
    }

    private static KeyValuePair<string, object?> Cluster(CircuitName name) => new("fencegateway.cluster", name.Cluster);

    private static KeyValuePair<string, object?> Destination(CircuitName name) =>
        new("fencegateway.destination", name.Destination);

    private static KeyValuePair<string, object?> Policy(string policy) => new("fencegateway.policy", policy);
}
