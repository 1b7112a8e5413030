using FenceGateway.Gateway.Resilience;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Configuration;

/// <summary>What must hold between routes, clusters and the resilience policies that they name.</summary>
internal static class ResilientRouteRules
{
    /// <summary>The key in a route's or a cluster's <c>Metadata</c> that names its policy.</summary>
    public const string MetadataKey = "ResiliencePolicy";

    public static void Check(
        IConfiguration configuration,
        IReadOnlyList<RouteConfig> routes,
        IReadOnlyList<ClusterConfig> clusters,
        IReadOnlyDictionary<string, ResiliencePolicy> policies,
        List<ConfigProblem> problems)
    {
        CheckMetadata(configuration, problems);
        foreach (var route in routes)
        {
            CheckName("Routes", route.RouteId, route.Metadata, policies, problems);
        }

        foreach (var cluster in clusters)
        {
            CheckName("Clusters", cluster.ClusterId, cluster.Metadata, policies, problems);
        }

        foreach (var policy in policies.Values.Where(policy => policy.Bulkhead?.PerResource is not null))
        {
            CheckPerResource(policy, routes, clusters, policies, problems);
        }
    }

    /// <summary>The policy that a route's or a cluster's metadata names; null when it names none.</summary>
    public static ResiliencePolicy? PolicyOf(
        IReadOnlyDictionary<string, string>? metadata, IReadOnlyDictionary<string, ResiliencePolicy> policies) =>
        metadata is not null && metadata.TryGetValue(MetadataKey, out var name) ? policies.GetValueOrDefault(name) : null;

    /// <summary>A policy may serve fenced and other routes alike; one that serves no fenced route counts no resource.</summary>
    private static void CheckPerResource(
        ResiliencePolicy policy,
        IReadOnlyList<RouteConfig> routes,
        IReadOnlyList<ClusterConfig> clusters,
        IReadOnlyDictionary<string, ResiliencePolicy> policies,
        List<ConfigProblem> problems)
    {
        var itsClusters = clusters.Where(cluster => PolicyOf(cluster.Metadata, policies) == policy).Select(cluster => cluster.ClusterId)
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var its = routes.Where(route => PolicyOf(route.Metadata, policies) == policy || itsClusters.Contains(route.ClusterId ?? "")).ToArray();
        if (its.Length > 0 && !Array.Exists(its, FencedRouteRules.IsFenced))
        {
            problems.Add(new(
                ConfigPath.Of(GatewayOptions.Section, nameof(GatewayOptions.ResiliencePolicies), policy.Name, "Bulkhead", "PerResource"),
                $"does nothing: no route that has this policy ({string.Join(", ", its.Select(route => route.RouteId))}) has a FencingPolicy, which "
                + "says what the resource is; give one of them a FencingPolicy, or take PerResource out"));
        }
    }

    private static void CheckName(
        string kind,
        string id,
        IReadOnlyDictionary<string, string>? metadata,
        IReadOnlyDictionary<string, ResiliencePolicy> policies,
        List<ConfigProblem> problems)
    {
        if (metadata is not null && metadata.TryGetValue(MetadataKey, out var name) && !policies.ContainsKey(name ?? ""))
        {
            var path = ConfigPath.Of(ReverseProxyInspector.Section, kind, id, "Metadata", MetadataKey);
            var hint = NearestName.Hint(name ?? "", [.. policies.Keys], "resilience policies");
            problems.Add(new(path, $"names no resilience policy '{name}'; {hint}"));
        }
    }

    /// <summary>Metadata is open to everyone, so only what is nearly the gateway's own key is a mistake.</summary>
    private static void CheckMetadata(IConfiguration configuration, List<ConfigProblem> problems)
    {
        var proxy = configuration.GetSection(ReverseProxyInspector.Section);
        string[] kinds = ["Routes", "Clusters"];
        foreach (var key in kinds.SelectMany(kind => proxy.GetSection(kind).GetChildren())
            .SelectMany(entry => entry.GetSection("Metadata").GetChildren()))
        {
            if (!key.Key.Equals(MetadataKey, StringComparison.OrdinalIgnoreCase)
                && (key.Key.Contains("resilien", StringComparison.OrdinalIgnoreCase) || NearestName.Distance(key.Key, MetadataKey) <= 4))
            {
                problems.Add(new(ConfigPath.Of(key.Path), $"is an unknown key; did you mean '{MetadataKey}'?"));
            }
        }
    }
}
