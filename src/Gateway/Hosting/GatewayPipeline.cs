using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Cors;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.Overload;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using FenceGateway.Gateway.Resilience.Retries;

namespace FenceGateway.Gateway.Hosting;

/// <summary>
/// A request's way from the client to the service; what stands above stands around what stands below.
/// </summary>
internal static class GatewayPipeline
{
    public static void UseGateway(this WebApplication app, RequestOptions requests)
    {
        // Whoever it is.
        app.UseTrustedProxies(requests);
        app.UseMiddleware<RequestMiddleware>(requests.CorrelationHeader, requests.TenantHeader);

        // Where it goes, and the policies that it runs under to its end. A page may read whatever is answered from here
        // on.
        app.UseRouting();
        app.UseCorsPolicies();

        // Whether there is room for it.
        app.UseMiddleware<OverloadMiddleware>();
        app.UseRequestTimeouts();

        // What memory alone can answer or refuse.
        app.UseMiddleware<IdempotencyMiddleware>();
        app.UseMiddleware<FenceMiddleware>();
        app.UseMiddleware<RateLimitMiddleware>();
        app.MapReverseProxy(static proxy =>
        {
            // Once for all attempts: how it ends, its places, its key.
            proxy.UseMiddleware<ForwardingMiddleware>();
            proxy.UseMiddleware<BulkheadMiddleware>();
            proxy.UseMiddleware<IdempotencyEndMiddleware>();

            // For each attempt: a destination, the admission as the last look, a key's durable start, and YARP's
            // forwarder behind all of it.
            proxy.UseMiddleware<RetryMiddleware>();
            proxy.UseMiddleware<CircuitBreakerMiddleware>();
            proxy.UseSessionAffinity();
            proxy.UseLoadBalancing();
            proxy.UsePassiveHealthChecks();
            proxy.UseMiddleware<AdmissionMiddleware>();
            proxy.UseMiddleware<IdempotencyStartMiddleware>();
            proxy.UseMiddleware<AttemptMiddleware>();
            proxy.UseMiddleware<ChaosMiddleware>();
        }).ConfigureEndpoints(app.Services.GetRequiredService<RouteGenerations>().Attach);
    }
}
