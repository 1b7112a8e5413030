using System.Collections.Frozen;
using FenceGateway.Gateway.Forwarding;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>
/// The circuits of a cluster's destinations under one resilience policy. Immutable but for what the circuits hold.
/// </summary>
internal sealed class ClusterCircuits(
    string cluster, string policy, IReadOnlyCollection<Circuit> circuits, CircuitMetrics metrics)
{
    private readonly Circuit[] _all = [.. circuits];
    private readonly FrozenDictionary<string, Circuit> _byDestination =
        circuits.ToFrozenDictionary(c => c.Name.Destination, StringComparer.OrdinalIgnoreCase);

    public string Cluster => cluster;

    public string Policy => policy;

    public IReadOnlyList<Circuit> All => _all;

    /// <summary>Whether there is nothing to choose.</summary>
    public bool AllClosed
    {
        get
        {
            foreach (var circuit in _all)
            {
                if (!circuit.IsClosed)
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>Null: a destination that a reload has just brought or taken.</summary>
    public Circuit? Of(string destination) => _byDestination.GetValueOrDefault(destination);

    /// <summary>An attempt has ended.</summary>
    public void Report(IReverseProxyFeature proxy, in AttemptResult result)
    {
        if (DestinationOf(proxy) is { } destination)
        {
            Of(destination.DestinationId)?.Report(result);
        }
    }

    /// <summary>
    /// Tells where a request may go: where no circuit says otherwise, or to probe a destination whose break is over.
    /// </summary>
    public CircuitChoice Choose(IReadOnlyList<DestinationState> available)
    {
        var closed = new List<DestinationState>(available.Count);
        PendingProbe? probe = null;
        foreach (var destination in available)
        {
            if (Of(destination.DestinationId) is not { IsClosed: false } circuit)
            {
                closed.Add(destination);
            }
            else if (probe is null && circuit.TryProbe() is { } reserved)
            {
                probe = new PendingProbe(destination, circuit, reserved);
            }
        }

        return new CircuitChoice(closed, probe);
    }

    /// <summary>
    /// Counts a request that found all of <paramref name="available"/> closed to it. When to come again.
    /// </summary>
    public TimeSpan Shed(IReadOnlyList<DestinationState> available)
    {
        metrics.Shed(cluster, policy);
        var retryAfter = TimeSpan.MaxValue;
        foreach (var destination in available)
        {
            if (Of(destination.DestinationId) is { } circuit)
            {
                circuit.CountShed();
                var wait = circuit.RetryAfter;
                retryAfter = wait < retryAfter ? wait : retryAfter;
            }
        }

        return retryAfter;
    }

    /// <summary>Where the attempt went; for one that ended just before the forwarder, where it was to go.</summary>
    public static DestinationState? DestinationOf(IReverseProxyFeature proxy) =>
        proxy.ProxiedDestination ?? (proxy.AvailableDestinations is [var only] ? only : null);
}

/// <param name="Closed">Destinations without an objection.</param>
/// <param name="Probe">A probe that was reserved for the request; whoever gets it ends it.</param>
internal readonly record struct CircuitChoice(IReadOnlyList<DestinationState> Closed, PendingProbe? Probe);

/// <param name="Destination">Where the probe goes.</param>
/// <param name="Circuit">What it is for.</param>
/// <param name="Reserved">Its place.</param>
internal sealed record PendingProbe(DestinationState Destination, Circuit Circuit, Probe Reserved);
