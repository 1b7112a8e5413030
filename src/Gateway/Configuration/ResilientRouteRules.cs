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
            if (HasPerResource(route.Metadata, policies) && !FencedRouteRules.IsFenced(route))
            {
                problems.Add(Unused("Routes", route.RouteId, route.Metadata!, "the route has no FencingPolicy"));
            }
        }

        foreach (var cluster in clusters)
        {
            CheckName("Clusters", cluster.ClusterId, cluster.Metadata, policies, problems);
            var own = routes.Where(route => cluster.ClusterId.Equals(route.ClusterId, StringComparison.OrdinalIgnoreCase)).ToArray();
            if (HasPerResource(cluster.Metadata, policies) && own.Length > 0 && !Array.Exists(own, FencedRouteRules.IsFenced))
            {
                problems.Add(Unused("Clusters", cluster.ClusterId, cluster.Metadata!, "none of the cluster's routes has a FencingPolicy"));
            }
        }
    }

    /// <summary>The policy that a route's or a cluster's metadata names; null when it names none.</summary>
    public static ResiliencePolicy? PolicyOf(
        IReadOnlyDictionary<string, string>? metadata, IReadOnlyDictionary<string, ResiliencePolicy> policies) =>
        metadata is not null && metadata.TryGetValue(MetadataKey, out var name) ? policies.GetValueOrDefault(name) : null;

    private static bool HasPerResource(
        IReadOnlyDictionary<string, string>? metadata, IReadOnlyDictionary<string, ResiliencePolicy> policies) =>
        PolicyOf(metadata, policies)?.Bulkhead?.PerResource is not null;

    private static ConfigProblem Unused(string kind, string id, IReadOnlyDictionary<string, string> metadata, string why) => new(
        ConfigPath.Of(ReverseProxyInspector.Section, kind, id, "Metadata", MetadataKey),
        $"names '{metadata[MetadataKey]}', whose Bulkhead.PerResource does nothing here: {why}, which says what the resource is; "
        + "name a policy without PerResource");

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
