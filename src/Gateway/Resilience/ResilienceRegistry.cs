using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using FenceGateway.Gateway.Resilience.Retries;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Resilience;

/// <summary>
/// The mechanisms of all routes and what they have counted. A reload replaces what changed and keeps the state of what
/// did not.
/// </summary>
internal sealed class ResilienceRegistry(BulkheadRegistry bulkheads, CircuitRegistry circuits, TimeProvider time)
{
    private readonly Dictionary<(string Route, string Cluster), RetryBudget> _budgets = [];
    private readonly Lock _applying = new();

    /// <summary>The mechanisms of a generation, by the names of its routes.</summary>
    public IReadOnlyDictionary<string, RouteMechanisms> Apply(
        IReadOnlyList<RouteConfig> routes, IReadOnlyList<ClusterConfig> clusters,
        IReadOnlyDictionary<string, ResiliencePolicy> policies)
    {
        lock (_applying)
        {
            var served = routes.Select(route => (Route: route, Policies: Policies(route, clusters, policies))).ToList();
            circuits.Apply(
                from route in served
                where route.Policies is { Cluster: not null, Breaker: not null }
                select (route.Policies.Cluster, route.Policies.Breaker));
            return served.ToDictionary(
                r => r.Route.RouteId,
                r => Combine(r.Route, r.Policies.Own, r.Policies.Clusters, r.Policies.Breaker),
                StringComparer.OrdinalIgnoreCase);
        }
    }

    /// <summary>A route's policy, its cluster's, and the one of the two whose circuit breaker is in force.</summary>
    private static (
        ClusterConfig? Cluster, ResiliencePolicy? Own, ResiliencePolicy? Clusters, ResiliencePolicy? Breaker) Policies(
        RouteConfig route, IReadOnlyList<ClusterConfig> clusters,
        IReadOnlyDictionary<string, ResiliencePolicy> policies)
    {
        var cluster = clusters.FirstOrDefault(
            c => c.ClusterId.Equals(route.ClusterId, StringComparison.OrdinalIgnoreCase));
        var own = ResilientRouteRules.PolicyOf(route.Metadata, policies);
        var its = ResilientRouteRules.PolicyOf(cluster?.Metadata, policies);
        var breaker = own is { CircuitBreaker: not null } ? own : its is { CircuitBreaker: not null } ? its : null;
        return (cluster, own, its, breaker);
    }

    private RouteMechanisms Combine(
        RouteConfig route, ResiliencePolicy? own, ResiliencePolicy? clusters, ResiliencePolicy? breaker)
    {
        var timeouts = own?.Timeouts ?? clusters?.Timeouts;
        var idempotency = own?.Idempotency ?? clusters?.Idempotency;
        var retry = own?.Retry ?? clusters?.Retry;
        return new RouteMechanisms
        {
            Bulkheads = bulkheads.Apply(route, own?.Bulkhead, clusters?.Bulkhead),
            Circuits = circuits.Find(route.ClusterId, breaker?.Name),
            Timeouts = timeouts,
            Idle = timeouts?.Idle is { } idle ? new IdleTimeout(idle) : null,
            Idempotency = idempotency,
            Retrying = retry is null
                ? null
                : new Retrying(route.RouteId, retry, idempotency, BudgetOf(route, retry), time),
        };
    }

    private RetryBudget BudgetOf(RouteConfig route, RetryPolicy policy)
    {
        var key = (route.RouteId, route.ClusterId ?? "");
        if (!_budgets.TryGetValue(key, out var budget) || budget.Ratio != policy.BudgetRatio)
        {
            _budgets[key] = budget = new RetryBudget(policy.BudgetRatio, time);
        }

        return budget;
    }
}
