using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Overload;

/// <summary>
/// Turns requests away when the gateway has as many as it takes, before anything is looked at but their head. What it
/// has taken it can then serve; what waits unbounded helps nobody.
/// </summary>
internal sealed class OverloadMiddleware(RequestDelegate next, InFlightRequests inFlight, Shedding shedding)
{
    public Task InvokeAsync(HttpContext context) => inFlight.TryEnter() ? ServeAsync(context) : ShedAsync(context);

    private async Task ServeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        finally
        {
            inFlight.Leave();
        }
    }

    private Task ShedAsync(HttpContext context)
    {
        context.Features.GetRequiredFeature<GatewayRequest>().IsShed = true;
        shedding.Count();
        return ProblemResponse.WriteAsync(
            context, ProblemType.Overloaded,
            "The gateway has too many requests in progress. This one was not looked at; try again.",
            inFlight.RetryAfter);
    }
}
