namespace FenceGateway.Gateway.RateLimiting;

internal static class RateLimitExtensions
{
    public static void AddRateLimits(this IServiceCollection services)
    {
        services.AddSingleton<RateLimitRegistry>();
        services.AddSingleton<RateLimitMetrics>();
    }
}
