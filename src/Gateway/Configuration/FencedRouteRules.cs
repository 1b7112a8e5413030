using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using Microsoft.AspNetCore.Routing.Patterns;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Configuration;

/// <summary>What must hold between routes and the fencing policies that they name.</summary>
internal static class FencedRouteRules
{
    /// <summary>The key in a route's <c>Metadata</c> that names its policy.</summary>
    public const string MetadataKey = "FencingPolicy";

    /// <summary>Whether the route names a fencing policy.</summary>
    public static bool IsFenced(RouteConfig route) => route.Metadata?.ContainsKey(MetadataKey) == true;

    public static void Check(
        IConfiguration configuration,
        IReadOnlyList<RouteConfig> routes,
        GatewayOptions options,
        IReadOnlyDictionary<string, FencingPolicy> policies,
        List<ConfigProblem> problems)
    {
        CheckMetadata(configuration, problems);
        foreach (var route in routes)
        {
            if (route.Metadata is null || !route.Metadata.TryGetValue(MetadataKey, out var name))
            {
                continue;
            }

            if (policies.TryGetValue(name ?? "", out var policy))
            {
                CheckParameters(route, policy, problems);
            }
            else if (!options.FencingPolicies.ContainsKey(name ?? ""))
            {
                var path = ConfigPath.Of(ReverseProxyInspector.Section, "Routes", route.RouteId, "Metadata", MetadataKey);
                var hint = NearestName.Hint(name ?? "", options.FencingPolicies.Keys, "fencing policies");
                problems.Add(new(path, $"names no fencing policy '{name}'; {hint}"));
            }
        }
    }

    /// <summary>Metadata is open to everyone, so only what is nearly the gateway's own key is a mistake.</summary>
    private static void CheckMetadata(IConfiguration configuration, List<ConfigProblem> problems)
    {
        var proxy = configuration.GetSection(ReverseProxyInspector.Section);
        foreach (var key in proxy.GetSection("Routes").GetChildren().SelectMany(r => r.GetSection("Metadata").GetChildren()))
        {
            if (!key.Key.Equals(MetadataKey, StringComparison.OrdinalIgnoreCase) && IsNear(key.Key))
            {
                problems.Add(new(ConfigPath.Of(key.Path), $"is an unknown key; did you mean '{MetadataKey}'?"));
            }
        }

        foreach (var key in proxy.GetSection("Clusters").GetChildren().SelectMany(c => c.GetSection("Metadata").GetChildren()))
        {
            if (key.Key.Equals(MetadataKey, StringComparison.OrdinalIgnoreCase))
            {
                problems.Add(new(ConfigPath.Of(key.Path), "belongs into the Metadata of a route; a cluster is not fenced"));
            }
        }
    }

    private static bool IsNear(string key) =>
        key.Contains("fenc", StringComparison.OrdinalIgnoreCase) || NearestName.Distance(key, MetadataKey) <= 4;

    private static void CheckParameters(RouteConfig route, FencingPolicy policy, List<ConfigProblem> problems)
    {
        IReadOnlyList<RoutePatternParameterPart> parameters;
        try
        {
            parameters = route.Match.Path is { } path ? RoutePatternFactory.Parse(path).Parameters : [];
        }
        catch (RoutePatternException)
        {
            return; // Reported by YARP's own validation.
        }

        foreach (var part in policy.Resource.Parts.Where(p => p.Kind == ResourceValueKind.Route))
        {
            if (!parameters.Any(p => p.Name.Equals(part.Text, StringComparison.OrdinalIgnoreCase)))
            {
                var at = ConfigPath.Of(ReverseProxyInspector.Section, "Routes", route.RouteId, "Match", "Path");
                var names = parameters.Select(p => p.Name).ToArray();
                problems.Add(new(
                    at,
                    $"{(route.Match.Path is { } p ? $"'{p}' has" : "is missing and so has")} no parameter {part}, which the "
                    + $"resource '{policy.Resource.Text}' of fencing policy '{policy.Name}' needs; "
                    + NearestName.Hint(part.Text, names, "parameters")));
            }
        }
    }
}
