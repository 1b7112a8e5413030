using System.Collections.Frozen;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Fencing;

/// <summary>All routes, and the fencing policies that some of them name.</summary>
/// <param name="Routes">YARP's routes.</param>
/// <param name="Policies">The policies by name, case aside.</param>
internal sealed record FencedRoutes(IReadOnlyList<RouteConfig> Routes, FrozenDictionary<string, FencingPolicy> Policies)
{
    /// <summary>The fencing policy of a route; null where it has none.</summary>
    public FencingPolicy? PolicyOf(RouteConfig route) => FencedRouteRules.PolicyOf(route, Policies);

    /// <summary>The shortest hold of the fenced routes to a cluster; null where there is none.</summary>
    public TimeSpan? ShortestHold(string cluster) => Routes
        .Where(route => cluster.Equals(route.ClusterId, StringComparison.OrdinalIgnoreCase))
        .Select(PolicyOf)
        .Where(policy => policy is { Mode: FencingMode.Enforce })
        .Min(policy => policy?.InDoubtHold);
}
