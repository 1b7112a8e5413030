using System.Collections.Frozen;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// Takes the name of a route's limit out of YARP's hands: it would look for a policy of ASP.NET's middleware. YARP asks its
/// filters before it validates. The name goes on as metadata, from which the endpoint gets its limit.
/// </summary>
internal sealed class RateLimitConfigFilter : IProxyConfigFilter
{
    /// <summary>Not for configuration files.</summary>
    public const string MetadataKey = "RateLimiterPolicy";

    /// <summary>YARP's word for a route without a limit.</summary>
    public const string Disable = "Disable";

    public static bool IsDisable(string name) => name.Equals(Disable, StringComparison.OrdinalIgnoreCase);

    public ValueTask<ClusterConfig> ConfigureClusterAsync(ClusterConfig cluster, CancellationToken cancel) => new(cluster);

    public ValueTask<RouteConfig> ConfigureRouteAsync(RouteConfig route, ClusterConfig? cluster, CancellationToken cancel)
    {
        if (route.RateLimiterPolicy is not { Length: > 0 } name)
        {
            return new(route);
        }

        var metadata = new Dictionary<string, string>(route.Metadata ?? FrozenDictionary<string, string>.Empty, StringComparer.OrdinalIgnoreCase);
        if (!IsDisable(name))
        {
            metadata[MetadataKey] = name;
        }

        return new(route with { RateLimiterPolicy = null, Metadata = metadata });
    }
}
