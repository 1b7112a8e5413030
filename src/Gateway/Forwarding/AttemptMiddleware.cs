using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>Begins each attempt. Who stands around it concludes it, so that it costs no task of its own.</summary>
internal sealed class AttemptMiddleware(RequestDelegate next, Attempts attempts)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        attempts.Begin(context, request);
        return context.GetReverseProxyFeature().Cluster.Config.HealthCheck?.Passive?.Enabled == true
            ? ConcludeAsync(context, request)
            : next(context);
    }

    /// <summary>YARP's passive health check goes by YARP's error alone: it is not shown one that says nothing about the
    /// service.</summary>
    private async Task ConcludeAsync(HttpContext context, GatewayRequest request)
    {
        await next(context);
        attempts.End(context, request);
        if (request.Attempts.Last is { IsNeutral: true }
            && context.Features.Get<IForwarderErrorFeature>() is { } failure
            && failure.Error is ForwarderError.Request or ForwarderError.RequestTimedOut)
        {
            context.Features.Set<IForwarderErrorFeature>(new NotTheService(failure.Exception));
        }
    }

    private sealed class NotTheService(Exception? exception) : IForwarderErrorFeature
    {
        public ForwarderError Error => ForwarderError.RequestCanceled;

        public Exception? Exception => exception;
    }
}
