using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace FenceGateway.Gateway.Hosting;

/// <summary>
/// Keeps a request with the services of its own generation. YARP changes a cluster's destinations in place, and a
/// request that began before that would go to a service that its policies were not made for.
/// </summary>
internal static class OwnDestinations
{
    public static IReverseProxyBuilder AddOwnDestinations(this IReverseProxyBuilder builder) =>
        builder.AddTransforms(Add);

    /// <summary>Called while a route is built: the cluster is that of the same generation.</summary>
    private static void Add(TransformBuilderContext context)
    {
        if (context.Cluster?.Destinations is not { Count: > 0 } own)
        {
            return;
        }

        var addresses = own.Values.Select(destination => destination.Address).ToArray();
        context.AddRequestTransform(transform =>
        {
            if (Array.IndexOf(addresses, transform.DestinationPrefix) < 0)
            {
                var chosen = transform.HttpContext.GetReverseProxyFeature().ProxiedDestination?.DestinationId;
                transform.DestinationPrefix = chosen is not null && own.TryGetValue(chosen, out var before)
                    ? before.Address
                    : addresses[0];
            }

            return ValueTask.CompletedTask;
        });
    }
}
