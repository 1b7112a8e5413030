using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.ClusterValidators;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace FenceGateway.Gateway.Resilience;

/// <summary>What must hold between routes, clusters and the resilience policies that they name.</summary>
internal sealed class ResilientRouteRules(IReadOnlyDictionary<string, ResiliencePolicy> policies)
    : IRouteValidator, IClusterValidator
{
    /// <summary>The key in a route's or a cluster's <c>Metadata</c> that names its policy.</summary>
    public const string MetadataKey = "ResiliencePolicy";

    /// <summary>The policy that a route's or a cluster's metadata names; null when it names none.</summary>
    public static ResiliencePolicy? PolicyOf(
        IReadOnlyDictionary<string, string>? metadata, IReadOnlyDictionary<string, ResiliencePolicy> policies) =>
        metadata is not null && metadata.TryGetValue(MetadataKey, out var name)
            ? policies.GetValueOrDefault(name ?? "")
            : null;

    public ValueTask ValidateAsync(RouteConfig routeConfig, IList<Exception> errors)
    {
        CheckName(routeConfig.Metadata, ReverseProxyRules.PathIn(routeConfig, "Metadata", MetadataKey), errors);
        return ValueTask.CompletedTask;
    }

    public ValueTask ValidateAsync(ClusterConfig cluster, IList<Exception> errors)
    {
        CheckName(cluster.Metadata, ReverseProxyRules.PathIn(cluster, "Metadata", MetadataKey), errors);
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// A policy may serve fenced and other routes alike; one that serves no fenced route counts no resource. Not for a
    /// validator, which sees one route at a time.
    /// </summary>
    public void CheckPerResource(
        IReadOnlyList<RouteConfig> routes, IReadOnlyList<ClusterConfig> clusters, List<ConfigProblem> problems)
    {
        foreach (var policy in policies.Values.Where(policy => policy.Bulkhead?.PerResource is not null))
        {
            var itsClusters = clusters.Where(cluster => PolicyOf(cluster.Metadata, policies) == policy).Select(
                cluster => cluster.ClusterId)
                .ToHashSet(StringComparer.OrdinalIgnoreCase);
            RouteConfig[] its =
            [
                .. routes.Where(route =>
                    PolicyOf(route.Metadata, policies) == policy || itsClusters.Contains(route.ClusterId ?? "")),
            ];
            if (its.Length > 0 && !Array.Exists(its, FencedRouteRules.IsFenced))
            {
                problems.Add(new(
                    ConfigPath.Of(
                        SectionNames.Gateway, SectionNames.ResiliencePolicies, policy.Name, "Bulkhead", "PerResource"),
                    "does nothing: no route that has this policy "
                    + $"({string.Join(", ", its.Select(route => route.RouteId))}) has a FencingPolicy, which "
                    + "says what the resource is; give one of them a FencingPolicy, or take PerResource out"));
            }
        }
    }

    private void CheckName(IReadOnlyDictionary<string, string>? metadata, string path, IList<Exception> errors)
    {
        if (metadata is not null && metadata.TryGetValue(MetadataKey, out var name)
            && !policies.ContainsKey(name ?? ""))
        {
            errors.Add(
                path,
                $"names no resilience policy '{name}'; "
                    + $"{NearestName.Hint(name ?? "", [.. policies.Keys], "resilience policies")}");
        }
    }
}
