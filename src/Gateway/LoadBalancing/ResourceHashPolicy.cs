using System.Runtime.CompilerServices;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Requests;
using Yarp.ReverseProxy.LoadBalancing;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.LoadBalancing;

/// <summary>
/// Keeps the requests of a resource on one destination, so that what that destination knows of it (a cache, a
/// connection, a lock) serves them all. Without a fencing policy the path stands for the resource.
/// </summary>
internal sealed class ResourceHashPolicy : ILoadBalancingPolicy
{
    public const string PolicyName = "ResourceHash";

    public string Name => PolicyName;

    public DestinationState? PickDestination(
        HttpContext context, ClusterState cluster, IReadOnlyList<DestinationState> availableDestinations) =>
        availableDestinations.Count switch
        {
            0 => null,
            1 => availableDestinations[0],
            _ => Rendezvous.Pick(HashOf(context), availableDestinations),
        };

    private static ulong HashOf(HttpContext context) => context.Features.Get<GatewayRequest>()?.Fence is { } fence
        ? Rendezvous.Hash(fence.Resource.Value)
        : HashRendered(context);

    /// <summary>
    /// A read without a token goes where the writes of its resource go. Apart, so that only who renders a key pays for
    /// its place on the stack.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong HashRendered(HttpContext context)
    {
        var key = RequestResource.Render(context, stackalloc char[ResourceKey.MaxBytes]);
        return Rendezvous.Hash(key.IsEmpty ? context.Request.Path.Value : key);
    }
}
