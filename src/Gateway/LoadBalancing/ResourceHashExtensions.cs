using Yarp.ReverseProxy.LoadBalancing;

namespace FenceGateway.Gateway.LoadBalancing;

internal static class ResourceHashExtensions
{
    /// <summary>Makes <c>"LoadBalancingPolicy": "ResourceHash"</c> known to YARP.</summary>
    public static IReverseProxyBuilder AddResourceHash(this IReverseProxyBuilder builder)
    {
        builder.Services.AddSingleton<ILoadBalancingPolicy, ResourceHashPolicy>();
        return builder;
    }
}
