using FenceGateway.Gateway.Configuration;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.RateLimiting;

internal static class RateLimitExtensions
{
    public static void AddRateLimits(this IServiceCollection services)
    {
        services.AddSingleton(provider =>
        {
            var registry = new RateLimitRegistry(provider.GetRequiredService<TimeProvider>());
            provider.GetRequiredService<LastGoodConfiguration>().Follow(c => registry.Apply(c.RateLimitPolicies));
            return registry;
        });
        services.AddSingleton<RateLimitMetrics>();
    }

    /// <summary>Gives the endpoint of a route the limit that the route names, if it names one.</summary>
    public static void Limit(this IEndpointConventionBuilder endpoint, RouteConfig route, RateLimitRegistry registry)
    {
        if (route.Metadata?.TryGetValue(RateLimitConfigFilter.MetadataKey, out var name) == true && registry.TryGet(name, out var limit))
        {
            endpoint.WithMetadata(limit);
        }
    }
}
