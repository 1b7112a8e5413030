using System.Collections.Frozen;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Fencing;

/// <summary>The clusters that a fenced route leads to. Swapped whole when the configuration changes.</summary>
internal sealed class FencedClusters
{
    private volatile FrozenSet<string> _ids = FrozenSet<string>.Empty;

    public bool IsEmpty => _ids.Count == 0;

    public bool Contains(RouteModel? route) => route?.Config.ClusterId is { } id && _ids.Contains(id);

    public void Update(IEnumerable<RouteConfig> routes) =>
        _ids = routes
            .Where(r => r.Metadata?.ContainsKey(FencingMetadata.PolicyKey) == true && r.ClusterId is not null)
            .Select(r => r.ClusterId!)
            .ToFrozenSet(StringComparer.OrdinalIgnoreCase);
}

/// <summary>How a route says that it is fenced.</summary>
internal static class FencingMetadata
{
    /// <summary>The key in a route's <c>Metadata</c> that names its policy.</summary>
    public const string PolicyKey = "FencingPolicy";
}
