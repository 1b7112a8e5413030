using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// The proxy's state of a request with another idle time-out than its cluster's: YARP's forwarder takes that from the
/// cluster, a resilience policy may be the route's.
/// </summary>
internal sealed class IdleProxyFeature(IReverseProxyFeature inner, IdleTimeout idle) : IReverseProxyFeature
{
    public RouteModel Route => inner.Route;

    public ClusterModel Cluster { get; } = idle.Of(inner.Cluster);

    public IReadOnlyList<DestinationState> AllDestinations => inner.AllDestinations;

    public IReadOnlyList<DestinationState> AvailableDestinations
    {
        get => inner.AvailableDestinations;
        set => inner.AvailableDestinations = value;
    }

    public DestinationState? ProxiedDestination
    {
        get => inner.ProxiedDestination;
        set => inner.ProxiedDestination = value;
    }
}

/// <summary>A route's idle time-out, and its cluster's model with it.</summary>
internal sealed class IdleTimeout(TimeSpan idle)
{
    private volatile Pair? _last;

    public ClusterModel Of(ClusterModel cluster)
    {
        var last = _last;
        if (last?.Cluster != cluster)
        {
            var request = (cluster.Config.HttpRequest ?? ForwarderRequestConfig.Empty) with { ActivityTimeout = idle };
            _last = last = new Pair(
                cluster, new ClusterModel(cluster.Config with { HttpRequest = request }, cluster.HttpClient));
        }

        return last.WithIdle;
    }

    private sealed record Pair(ClusterModel Cluster, ClusterModel WithIdle);
}
