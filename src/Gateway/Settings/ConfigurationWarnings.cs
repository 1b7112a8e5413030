using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Resilience;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// What a configuration may say, and probably does not mean: warned about by <c>validate</c>, at start and by a reload,
/// never refused.
/// </summary>
internal static class ConfigurationWarnings
{
    public static IReadOnlyList<ConfigProblem> Of(GatewayConfiguration configuration) =>
    [
        .. UnfencedWays.Of(configuration),
        .. LossyPaths.Of(configuration),
        .. UnsharedAffinity.Of(configuration),
        .. Unused(
            SectionNames.FencingPolicies, configuration.FencingPolicies.Keys, "no route",
            $"a route's Metadata.{FencedRouteRules.MetadataKey}",
            configuration.Routes.Select(
                static route => route.Metadata?.GetValueOrDefault(FencedRouteRules.MetadataKey))),
        .. Unused(
            SectionNames.ResiliencePolicies, configuration.ResiliencePolicies.Keys,
            "no route and no cluster",
            $"the Metadata.{ResilientRouteRules.MetadataKey} of a route or a cluster",
            configuration.Routes.Select(static route => route.Metadata)
                .Concat(configuration.Clusters.Select(static cluster => cluster.Metadata))
                .Select(static metadata => metadata?.GetValueOrDefault(ResilientRouteRules.MetadataKey))),
        .. Unused(
            SectionNames.RateLimiterPolicies, configuration.RateLimitPolicies.Keys, "no route",
            $"a route's {nameof(RouteConfig.RateLimiterPolicy)}",
            configuration.Routes.Select(static route => route.RateLimiterPolicy)),
        .. Unused(
            SectionNames.CorsPolicies, configuration.CorsPolicies.Keys, "no route",
            $"a route's {nameof(RouteConfig.CorsPolicy)}",
            configuration.Routes.Select(static route => route.CorsPolicy)),
    ];

    private static IEnumerable<ConfigProblem> Unused(
        string section, IEnumerable<string> policies, string nobody, string where, IEnumerable<string?> named)
    {
        var used = named.OfType<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);
        return
            from policy in policies.Order(StringComparer.Ordinal)
            where !used.Contains(policy)
            let path = ConfigPath.Of(SectionNames.Gateway, section, policy)
            select new ConfigProblem(path, $"does nothing: {nobody} names it; name it in {where}, or remove it");
    }
}
