using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using FenceGateway.Gateway.Resilience.Retries;

namespace FenceGateway.Gateway.Resilience;

/// <summary>
/// The mechanisms in force on a route: those of the policy that it names and, where that is silent, of its cluster's.
/// Null is off.
/// </summary>
internal sealed class RouteMechanisms
{
    public static readonly RouteMechanisms None = new();

    public RouteBulkheads? Bulkheads { get; init; }

    public ClusterCircuits? Circuits { get; init; }

    public TimeoutPolicy? Timeouts { get; init; }

    public IdleTimeout? Idle { get; init; }

    public Retrying? Retrying { get; init; }

    public IdempotencyPolicy? Idempotency { get; init; }
}
