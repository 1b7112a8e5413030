using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Transforms;

namespace FenceGateway.Gateway.Forwarding;

internal static class ForwardingExtensions
{
    /// <summary>
    /// Gives an admitted write without a body an empty one: see <see cref="EmptyContent"/>. Takes Expect away from the service
    /// only: Kestrel answers the client's own with 100 when the body is first read. Lets a body of unknown length flow.
    /// </summary>
    public static IReverseProxyBuilder AddRequestBodies(this IReverseProxyBuilder builder) =>
        builder.AddTransforms(static context => context.AddRequestTransform(static transform =>
        {
            if (transform.HttpContext.Features.Get<GatewayRequest>() is { InFlight: not null })
            {
                transform.ProxyRequest.Headers.ExpectContinue = null;
                transform.ProxyRequest.Content ??= new EmptyContent();
            }

            if (transform is { HttpContext.Request.ContentLength: null, ProxyRequest.Content: { } body and not EmptyContent })
            {
                transform.ProxyRequest.Content = new FlushingContent(body);
            }

            return ValueTask.CompletedTask;
        }));

    /// <summary>Remembers that the service has given a whole answer, one without a body, whatever becomes of the rest of the request.</summary>
    public static IReverseProxyBuilder AddServiceStatus(this IReverseProxyBuilder builder) =>
        builder.AddTransforms(static context => context.AddResponseTransform(static transform =>
        {
            if (transform.ProxyResponse is { Content.Headers.ContentLength: 0 } answer)
            {
                transform.HttpContext.Features.GetRequiredFeature<GatewayRequest>().ServiceStatus = (int)answer.StatusCode;
            }

            return ValueTask.CompletedTask;
        }));

    /// <summary>A request's way behind its route: outcome, destination, admission, forwarder.</summary>
    public static ReverseProxyConventionBuilder MapFencedProxy(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapReverseProxy(pipeline =>
        {
            pipeline.UseMiddleware<ForwardingMiddleware>();
            pipeline.UseSessionAffinity();
            pipeline.UseLoadBalancing();
            pipeline.UsePassiveHealthChecks();
            pipeline.UseMiddleware<AdmissionMiddleware>();
        });
}
