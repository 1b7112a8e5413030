using System.Collections.Concurrent;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// All bulkheads, by the names of routes and clusters, for the life of the process: a reload changes their limits, and
/// who holds a place of one that is not in force any more gives it back there. Names only accumulate as an operator
/// invents them.
/// </summary>
internal sealed class BulkheadRegistry(FencedWaiters fenced, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Bulkhead> _routes = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, Bulkhead> _clusters = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, ResourceBulkheads> _resources = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Those of routes and clusters.</summary>
    public IEnumerable<Bulkhead> All => _routes.Values.Concat(_clusters.Values);

    public IEnumerable<ResourceBulkheads> Resources => _resources.Values;

    /// <summary>Puts the policies of a route and of its cluster in force. Null: there are none.</summary>
    public RouteBulkheads? Apply(RouteConfig route, BulkheadPolicy? own, BulkheadPolicy? clusters)
    {
        var bulkheads = new RouteBulkheads(
            ApplyResources(route.RouteId, own?.PerResource ?? clusters?.PerResource),
            Apply(_routes, BulkheadScope.Route, route.RouteId, own),
            Apply(_clusters, BulkheadScope.Cluster, route.ClusterId!, clusters));
        return bulkheads is { Resources: null, Route: null, Cluster: null } ? null : bulkheads;
    }

    private Bulkhead? Apply(
        ConcurrentDictionary<string, Bulkhead> bulkheads, BulkheadScope scope, string name, BulkheadPolicy? policy)
    {
        if (policy is null)
        {
            return null;
        }

        var bulkhead = bulkheads.GetOrAdd(name, n => new Bulkhead(new BulkheadName(scope, n), policy, fenced, time));
        bulkhead.Apply(policy);
        return bulkhead;
    }

    private ResourceBulkheads? ApplyResources(string route, ResourceBulkheadPolicy? policy)
    {
        if (policy is null)
        {
            return null;
        }

        var bulkheads = _resources.GetOrAdd(route, r => new ResourceBulkheads(r, policy, fenced, time));
        bulkheads.Apply(policy);
        return bulkheads;
    }
}
