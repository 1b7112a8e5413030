using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Resilience;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// Finds keys in the <c>Metadata</c> of routes and clusters that were meant for the gateway and do nothing where they
/// stand. Metadata is open to everyone, so only what is one of the gateway's own keys, or nearly one, is a mistake.
/// </summary>
internal static class MetadataKeys
{
    public static void Check(IConfigurationSection entry, bool isRoute, List<ConfigProblem> problems)
    {
        foreach (var key in entry.GetSection("Metadata").GetChildren())
        {
            if ((isRoute ? OnRoute(key.Key) : OnCluster(key.Key)) is { } message)
            {
                problems.Add(new(ConfigPath.Of(key.Path), message));
            }
        }
    }

    private static string? OnRoute(string key) =>
        key.Equals(nameof(RouteConfig.RateLimiterPolicy), StringComparison.OrdinalIgnoreCase)
            ? "belongs beside Metadata, as a key of the route itself"
        : key.Equals(ConnectionLifetime.MetadataKey, StringComparison.OrdinalIgnoreCase)
            ? "belongs into the Metadata of a cluster: connections are shared by all routes to it"
        : IsNear(key, FencedRouteRules.MetadataKey, "fenc") ? "is an unknown key; did you mean "
            + $"'{FencedRouteRules.MetadataKey}'?"
        : NearResilience(key);

    private static string? OnCluster(string key) =>
        key.Equals(FencedRouteRules.MetadataKey, StringComparison.OrdinalIgnoreCase)
            ? "belongs into the Metadata of a route; a cluster is not fenced"
        : IsNear(key, ConnectionLifetime.MetadataKey, "connectionlife")
            ? $"is an unknown key; did you mean '{ConnectionLifetime.MetadataKey}'?"
        : NearResilience(key);

    private static string? NearResilience(string key) =>
        IsNear(key, ResilientRouteRules.MetadataKey, "resilien")
            ? $"is an unknown key; did you mean '{ResilientRouteRules.MetadataKey}'?"
            : null;

    private static bool IsNear(string key, string own, string stem) =>
        !key.Equals(own, StringComparison.OrdinalIgnoreCase)
        && (key.Contains(stem, StringComparison.OrdinalIgnoreCase) || NearestName.Distance(key, own) <= 4);
}
