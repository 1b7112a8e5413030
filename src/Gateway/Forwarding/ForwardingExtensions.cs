using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using FenceGateway.Gateway.Resilience.Retries;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Transforms;

namespace FenceGateway.Gateway.Forwarding;

internal static class ForwardingExtensions
{
    /// <summary>
    /// Gives a request that must not be sent twice, or whose retries are counted, and that has no body an empty one: see
    /// <see cref="EmptyContent"/>. Takes Expect away from the service only: Kestrel answers the client's own with 100 when the
    /// body is first read. Lets a body of unknown length flow. Tells how long the connection may take to come about.
    /// </summary>
    public static IReverseProxyBuilder AddRequestBodies(this IReverseProxyBuilder builder) =>
        builder.AddTransforms(static context => context.AddRequestTransform(static transform =>
        {
            var request = transform.HttpContext.Features.GetRequiredFeature<GatewayRequest>();
            var mechanisms = request.Mechanisms(transform.HttpContext);
            if (mechanisms.Timeouts?.Connect is { } connect)
            {
                ConnectTimeout.Set(transform.ProxyRequest, connect);
            }

            if (request.InFlight)
            {
                transform.ProxyRequest.Headers.ExpectContinue = null;
            }

            if (request.InFlight || mechanisms.Retrying is not null || !RequestSemantics.IsIdempotent(transform.HttpContext.Request.Method))
            {
                transform.ProxyRequest.Content ??= new EmptyContent();
            }

            if (transform is { HttpContext.Request.ContentLength: null, ProxyRequest.Content: { } body and not EmptyContent })
            {
                transform.ProxyRequest.Content = new FlushingContent(body);
            }

            return ValueTask.CompletedTask;
        }));

    /// <summary>Takes note of the head of the service's answer.</summary>
    public static IReverseProxyBuilder AddAnswerHeads(this IReverseProxyBuilder builder) =>
        builder.AddTransforms(static context => context.AddResponseTransform(static transform =>
        {
            if (transform.ProxyResponse is { } answer)
            {
                transform.SuppressResponseBody |=
                    transform.HttpContext.Features.GetRequiredFeature<GatewayRequest>().Attempts.HeadArrived(answer);
            }

            return ValueTask.CompletedTask;
        }));

    /// <summary>A request's way behind its route: outcome, places, attempts, circuit, destination, admission, forwarder.</summary>
    public static ReverseProxyConventionBuilder MapFencedProxy(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapReverseProxy(pipeline =>
        {
            pipeline.UseMiddleware<ForwardingMiddleware>();
            pipeline.UseMiddleware<BulkheadMiddleware>();
            pipeline.UseMiddleware<IdempotencyStartMiddleware>();
            pipeline.UseMiddleware<RetryMiddleware>();
            pipeline.UseMiddleware<CircuitBreakerMiddleware>();
            pipeline.UseSessionAffinity();
            pipeline.UseLoadBalancing();
            pipeline.UsePassiveHealthChecks();
            pipeline.UseMiddleware<AdmissionMiddleware>();
            pipeline.UseMiddleware<AttemptMiddleware>();
            pipeline.UseMiddleware<ChaosMiddleware>();
        });
}
