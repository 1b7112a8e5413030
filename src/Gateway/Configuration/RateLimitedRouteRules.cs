using FenceGateway.Gateway.RateLimiting;
using Microsoft.AspNetCore.Routing.Patterns;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Configuration;

/// <summary>What must hold between routes and the rate limits that they name.</summary>
internal static class RateLimitedRouteRules
{
    private const string Default = "Default";

    public static void Check(
        IReadOnlyList<RouteConfig> routes,
        GatewayOptions options,
        IReadOnlyDictionary<string, RateLimitPolicy> policies,
        List<ConfigProblem> problems)
    {
        foreach (var route in routes)
        {
            if (route.Metadata?.ContainsKey(RateLimitConfigFilter.MetadataKey) == true)
            {
                problems.Add(new(
                    ConfigPath.Of(ReverseProxyInspector.Section, "Routes", route.RouteId, "Metadata", RateLimitConfigFilter.MetadataKey),
                    $"belongs beside Metadata, as a key of the route itself"));
            }

            if (route.RateLimiterPolicy is { Length: > 0 } name && !RateLimitConfigFilter.IsDisable(name))
            {
                CheckName(route, name, options, policies, problems);
            }
        }
    }

    private static void CheckName(
        RouteConfig route,
        string name,
        GatewayOptions options,
        IReadOnlyDictionary<string, RateLimitPolicy> policies,
        List<ConfigProblem> problems)
    {
        if (policies.TryGetValue(name, out var policy))
        {
            foreach (var part in policy.PartitionBy.Parts)
            {
                CheckPart(route, policy, part, problems);
            }
        }
        else if (!options.RateLimiterPolicies.ContainsKey(name))
        {
            var message = name.Equals(Default, StringComparison.OrdinalIgnoreCase)
                ? "is YARP's word for the limit of every route, which this gateway does not have; name a policy of "
                    + "FenceGateway:RateLimiterPolicies"
                : $"names no rate limiter policy '{name}'; "
                    + NearestName.Hint(name, options.RateLimiterPolicies.Keys, "rate limiter policies");
            problems.Add(new(Path(route), message));
        }
    }

    private static void CheckPart(RouteConfig route, RateLimitPolicy policy, RateLimitKeyPart part, List<ConfigProblem> problems)
    {
        if (part.Kind == RateLimitKeyKind.Resource && !FencedRouteRules.IsFenced(route))
        {
            problems.Add(new(Path(route), $"names '{policy.Name}', which is partitioned by {part}: that is the resource of the route's "
                + "FencingPolicy, and the route has none"));
        }
        else if (part.Kind == RateLimitKeyKind.Route && !Parameters(route).Contains(part.Name, StringComparer.OrdinalIgnoreCase))
        {
            problems.Add(new(Path(route), $"names '{policy.Name}', which is partitioned by {part}, and the route's Match.Path has no "
                + $"such parameter; {NearestName.Hint(part.Name, [.. Parameters(route)], "parameters")}"));
        }
    }

    private static IEnumerable<string> Parameters(RouteConfig route)
    {
        try
        {
            return route.Match.Path is { } path ? RoutePatternFactory.Parse(path).Parameters.Select(p => p.Name) : [];
        }
        catch (RoutePatternException)
        {
            return []; // Reported by YARP's own validation.
        }
    }

    private static string Path(RouteConfig route) =>
        ConfigPath.Of(ReverseProxyInspector.Section, "Routes", route.RouteId, nameof(RouteConfig.RateLimiterPolicy));
}
