using System.Collections.Concurrent;
using FenceGateway.Gateway.Configuration;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// The clusters that a fenced route leads to, or led to since the process started: a cluster does not stop to be worth
/// protecting while a reload is on its way.
/// </summary>
internal sealed class FencedClusters
{
    private readonly ConcurrentDictionary<string, bool> _ids = new(StringComparer.OrdinalIgnoreCase);

    public bool IsEmpty => _ids.IsEmpty;

    public bool Contains(RouteModel? route) => route?.Config.ClusterId is { } id && _ids.ContainsKey(id);

    /// <summary>Gives the endpoint of a route the policy that the route names, if it names one.</summary>
    public void Fence(IEndpointConventionBuilder endpoint, RouteConfig route, FencingPolicyRegistry policies)
    {
        if (route.Metadata?.TryGetValue(FencedRouteRules.MetadataKey, out var name) == true
            && policies.TryGet(name, out var policy))
        {
            endpoint.WithMetadata(policy);
            _ids.TryAdd(route.ClusterId!, true);
        }
    }
}
