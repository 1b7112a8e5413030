using System.Collections.Concurrent;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// The services that a fenced route leads to, or led to since the process started: a service does not stop to be worth
/// protecting while a reload is under way. Told apart by scheme, host and port, whatever cluster names them.
/// </summary>
internal sealed class FencedServices
{
    private readonly ConcurrentDictionary<string, bool> _addresses = new(StringComparer.OrdinalIgnoreCase);

    public bool IsEmpty => _addresses.IsEmpty;

    /// <summary>Whether the route leads to a service that is fenced on some route.</summary>
    public bool IsBehind(RouteModel? route) =>
        route?.Cluster?.Model.Config is { } cluster && Addresses(cluster).Any(_addresses.ContainsKey);

    /// <summary>A fenced route leads to the destinations of <paramref name="cluster"/>.</summary>
    public void Add(ClusterConfig? cluster)
    {
        foreach (var address in Addresses(cluster))
        {
            _addresses.TryAdd(address, true);
        }
    }

    private static IEnumerable<string> Addresses(ClusterConfig? cluster) =>
        cluster?.Destinations?.Values.Select(d => new Uri(d.Address).GetLeftPart(UriPartial.Authority)) ?? [];
}
