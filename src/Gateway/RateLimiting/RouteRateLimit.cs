using System.Collections.Frozen;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// Takes the name of a route's limit out of YARP's hands: it would look for a policy of ASP.NET's middleware. The name
/// goes on as metadata.
/// </summary>
internal static class RouteRateLimit
{
    /// <summary>YARP's word for a route without a limit.</summary>
    public const string Disable = "Disable";

    /// <summary>Not for configuration files, in whose keys a colon is a delimiter.</summary>
    private const string MetadataKey = "FenceGateway:RateLimiterPolicy";

    public static bool IsDisable(string name) => name.Equals(Disable, StringComparison.OrdinalIgnoreCase);

    /// <summary>The name of the limit of a route that is <see cref="ForYarp"/>; null when it has none.</summary>
    public static string? PolicyOf(RouteConfig route) => route.Metadata?.GetValueOrDefault(MetadataKey);

    /// <summary>The route as YARP gets to see it.</summary>
    public static RouteConfig ForYarp(RouteConfig route)
    {
        if (route.RateLimiterPolicy is not { Length: > 0 } name)
        {
            return route;
        }

        var metadata = new Dictionary<string, string>(
            route.Metadata ?? FrozenDictionary<string, string>.Empty, StringComparer.OrdinalIgnoreCase);
        if (!IsDisable(name))
        {
            metadata[MetadataKey] = name;
        }

        return route with { RateLimiterPolicy = null, Metadata = metadata };
    }
}
