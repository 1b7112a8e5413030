using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>Begins each attempt. Who stands around it concludes it, so that it costs no task of its own.</summary>
internal sealed class AttemptMiddleware(RequestDelegate next, Attempts attempts)
{
    public Task InvokeAsync(HttpContext context)
    {
        attempts.Begin(context, context.Features.GetRequiredFeature<GatewayRequest>());
        return next(context);
    }
}
