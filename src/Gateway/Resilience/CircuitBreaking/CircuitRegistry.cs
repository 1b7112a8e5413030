using System.Collections.Frozen;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>
/// All circuits in force. A reload keeps the circuit of a destination whose address and breaker stayed as they were,
/// and an operator's isolation as long as the destination is there at all.
/// </summary>
internal sealed class CircuitRegistry
{
    private readonly Lock _changing = new();
    private readonly CircuitMetrics _metrics;
    private readonly CircuitEvents _events;
    private readonly TimeProvider _time;
    private volatile IReadOnlyList<ClusterCircuits> _all = [];

    public CircuitRegistry(CircuitMetrics metrics, CircuitEvents events, TimeProvider time)
    {
        (_metrics, _events, _time) = (metrics, events, time);
        metrics.Watch(() => _all.SelectMany(circuits => circuits.All));
    }

    /// <summary>Those of a cluster, one for each policy that asks for a breaker on a route to it.</summary>
    public IEnumerable<ClusterCircuits> Of(string cluster) => _all.Where(c => Same(c.Cluster, cluster));

    /// <summary>Puts breakers in force: for each route that has one its cluster and the policy that names it.</summary>
    public void Apply(IEnumerable<(ClusterConfig Cluster, ResiliencePolicy Policy)> breakers)
    {
        lock (_changing)
        {
            _all =
            [
                .. breakers
                    .DistinctBy(b => (b.Cluster.ClusterId.ToUpperInvariant(), b.Policy.Name.ToUpperInvariant()))
                    .Select(b => ApplyLocked(b.Cluster, b.Policy)),
            ];
        }
    }

    public ClusterCircuits? Find(string? cluster, string? policy) =>
        _all.FirstOrDefault(c => Same(c.Cluster, cluster) && Same(c.Policy, policy));

    /// <summary>Isolates a destination. False: it has no circuit.</summary>
    public bool Isolate(string cluster, string destination, string reason) =>
        Change(cluster, destination, circuit => circuit.Isolate(reason));

    /// <summary>Closes a destination's circuits, isolated or open. False: it has none.</summary>
    public bool Close(string cluster, string destination, string reason) =>
        Change(cluster, destination, circuit => circuit.Close(reason));

    private bool Change(string cluster, string destination, Action<Circuit> change)
    {
        lock (_changing)
        {
            Circuit[] circuits = [.. Of(cluster).Select(c => c.Of(destination)).OfType<Circuit>()];
            Array.ForEach(circuits, change);
            return circuits.Length > 0;
        }
    }

    private ClusterCircuits ApplyLocked(ClusterConfig cluster, ResiliencePolicy policy)
    {
        var before = Find(cluster.ClusterId, policy.Name);
        var circuits = new List<Circuit>();
        foreach (var (destination, config) in cluster.Destinations ?? FrozenDictionary<string, DestinationConfig>.Empty)
        {
            circuits.Add(
                before?.Of(destination) is { } circuit && circuit.Address == config.Address
                    && circuit.Policy == policy.CircuitBreaker
                    ? circuit
                    : NewLocked(
                        new CircuitName(cluster.ClusterId, destination, policy.Name), config.Address,
                        policy.CircuitBreaker!));
        }

        return new ClusterCircuits(cluster.ClusterId, policy.Name, circuits, _metrics);
    }

    private Circuit NewLocked(CircuitName name, string address, CircuitBreakerPolicy policy)
    {
        var circuit = new Circuit(name, address, policy, _events, _time);
        var isolated = Of(name.Cluster).Select(c => c.Of(name.Destination)?.IsolatedFor).FirstOrDefault(
            reason => reason is not null);
        if (isolated is not null)
        {
            circuit.Isolate(isolated);
        }

        return circuit;
    }

    private static bool Same(string a, string? b) => a.Equals(b, StringComparison.OrdinalIgnoreCase);
}
