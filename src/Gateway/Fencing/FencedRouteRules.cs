using FenceGateway.Fencing;
using FenceGateway.Gateway.Configuration;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace FenceGateway.Gateway.Fencing;

/// <summary>What must hold between a route and the fencing policy that it names.</summary>
internal sealed class FencedRouteRules(
    IReadOnlyCollection<string> names, IReadOnlyDictionary<string, FencingPolicy> policies)
    : IRouteValidator
{
    /// <summary>The key in a route's <c>Metadata</c> that names its policy.</summary>
    public const string MetadataKey = "FencingPolicy";

    /// <summary>Whether the route names a fencing policy.</summary>
    public static bool IsFenced(RouteConfig route) => route.Metadata?.ContainsKey(MetadataKey) == true;

    /// <summary>The fencing policy of a route; null where it has none.</summary>
    public static FencingPolicy? PolicyOf(RouteConfig route, IReadOnlyDictionary<string, FencingPolicy> policies) =>
        route.Metadata is { } metadata && metadata.TryGetValue(MetadataKey, out var name)
            ? policies.GetValueOrDefault(name ?? "")
            : null;

    public ValueTask ValidateAsync(RouteConfig routeConfig, IList<Exception> errors)
    {
        if (routeConfig.Metadata is { } metadata && metadata.TryGetValue(MetadataKey, out var name))
        {
            CheckName(routeConfig, name ?? "", errors);
        }

        return ValueTask.CompletedTask;
    }

    private void CheckName(RouteConfig route, string name, IList<Exception> errors)
    {
        if (policies.TryGetValue(name, out var policy))
        {
            CheckParameters(route, policy, errors);
            FencedTransformRules.Check(route, policy, errors);
        }
        else if (!names.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            errors.Add(
                ReverseProxyRules.PathIn(route, "Metadata", MetadataKey),
                $"names no fencing policy '{name}'; {NearestName.Hint(name, names, "fencing policies")}");
        }
    }

    private static void CheckParameters(RouteConfig route, FencingPolicy policy, IList<Exception> errors)
    {
        if (ReverseProxyRules.Parameters(route) is not { } parameters)
        {
            return;
        }

        foreach (var part in policy.Resource.Parts.Where(p => p.Kind == ResourceValueKind.Route))
        {
            if (!parameters.Contains(part.Text, StringComparer.OrdinalIgnoreCase))
            {
                errors.Add(
                    ReverseProxyRules.PathIn(route, "Match", "Path"),
                    $"{(route.Match.Path is { } p ? $"'{p}' has" : "is missing and so has")} no parameter {part}, "
                    + $"which the resource '{policy.Resource.Text}' of fencing policy '{policy.Name}' needs; "
                    + NearestName.Hint(part.Text, parameters, "parameters"));
            }
        }
    }
}
