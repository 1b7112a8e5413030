using FenceGateway.Gateway.Configuration;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Cors;

/// <summary>
/// The CORS policy that a route names. YARP would look for it in ASP.NET's options, which no reload changes.
/// </summary>
internal static class RouteCors
{
    /// <summary>YARP's word for a route without a policy.</summary>
    public const string Disable = "Disable";

    public static bool IsDisable(string name) => name.Equals(Disable, StringComparison.OrdinalIgnoreCase);

    /// <summary>The policy of a route; null where it has none.</summary>
    public static CorsPolicy? PolicyOf(RouteConfig route, IReadOnlyDictionary<string, CorsPolicy> policies) =>
        route.CorsPolicy is { Length: > 0 } name && !IsDisable(name) ? policies[name] : null;

    /// <summary>Reports names of routes that no policy has.</summary>
    public static void Check(
        IReadOnlyList<RouteConfig> routes, IReadOnlyCollection<string> policies, List<ConfigProblem> problems)
    {
        foreach (var route in routes)
        {
            if (route.CorsPolicy is { Length: > 0 } name && !IsDisable(name)
                && !policies.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                var hint = NearestName.Hint(name, policies, "CORS policies");
                problems.Add(new(
                    ReverseProxyRules.PathIn(route, nameof(route.CorsPolicy)),
                    $"names no CORS policy '{name}'; {hint}"));
            }
        }
    }
}
