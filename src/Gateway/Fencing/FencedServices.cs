using System.Collections.Concurrent;
using FenceGateway.Gateway.Configuration;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// The services that a fenced route leads to, or led to since the process started: a service does not stop to be worth
/// protecting while a reload is on its way. Told apart by scheme, host and port, whatever cluster names them.
/// </summary>
internal sealed class FencedServices
{
    private readonly ConcurrentDictionary<string, bool> _addresses = new(StringComparer.OrdinalIgnoreCase);

    public bool IsEmpty => _addresses.IsEmpty;

    /// <summary>Whether the route leads to a service that is fenced on some route.</summary>
    public bool IsBehind(RouteModel? route) =>
        route?.Cluster?.Model.Config is { } cluster && Addresses(cluster).Any(_addresses.ContainsKey);

    /// <summary>Gives the endpoint of a route the policy that the route names, if it names one.</summary>
    public void Fence(
        IEndpointConventionBuilder endpoint, RouteConfig route, ClusterConfig? cluster, FencingPolicyRegistry policies)
    {
        if (route.Metadata?.TryGetValue(FencedRouteRules.MetadataKey, out var name) != true
            || !policies.TryGet(name!, out var policy))
        {
            return;
        }

        endpoint.WithMetadata(policy);
        foreach (var address in Addresses(cluster))
        {
            _addresses.TryAdd(address, true);
        }
    }

    private static IEnumerable<string> Addresses(ClusterConfig? cluster) =>
        cluster?.Destinations?.Values.Select(d => new Uri(d.Address).GetLeftPart(UriPartial.Authority)) ?? [];
}
