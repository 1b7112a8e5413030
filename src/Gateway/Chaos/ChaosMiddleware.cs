using System.Net;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Chaos;

/// <summary>
/// The last before the forwarder, so that the fence, circuits and retries take what it injects for the service's doing: it
/// leaves behind what the forwarder would have left.
/// </summary>
internal sealed class ChaosMiddleware(RequestDelegate next, ChaosRules rules)
{
    public Task InvokeAsync(HttpContext context) =>
        rules.Of(context) is { } ofRoute && context.GetReverseProxyFeature().AvailableDestinations.Count > 0
            ? RunAsync(context, ofRoute)
            : next(context);

    private async Task RunAsync(HttpContext context, ChaosRule[] ofRoute)
    {
        foreach (var rule in ofRoute)
        {
            if (!rule.AppliesTo(context.Request))
            {
                continue;
            }

            var injected = await rule.InjectAsync(context);
            if (injected.Exception is { } fault)
            {
                Fail(context, fault);
                return;
            }

            if (injected.Result != ChaosRule.Forward)
            {
                Answer(context, injected.Result);
                return;
            }
        }

        await next(context);
    }

    private static void Fail(HttpContext context, Exception fault)
    {
        Claim(context);

        // A wait that was cut short is what a slow service looks like: whether it got the request, nobody would know.
        var error = fault is OperationCanceledException ? ForwarderError.RequestCanceled : ForwarderError.Request;
        context.Response.StatusCode = StatusCodes.Status502BadGateway;
        context.Features.Set<IForwarderErrorFeature>(new InjectedError(error, fault));
    }

    private static void Answer(HttpContext context, int status)
    {
        Claim(context);
        context.Response.StatusCode = status;
        using var answer = new HttpResponseMessage((HttpStatusCode)status) { Content = new EmptyContent() };
        context.Features.GetRequiredFeature<GatewayRequest>().Attempts.HeadArrived(answer);
    }

    /// <summary>The destination that the attempt would have gone to is the one that has failed or answered.</summary>
    private static void Claim(HttpContext context)
    {
        var proxy = context.GetReverseProxyFeature();
        proxy.ProxiedDestination = proxy.AvailableDestinations[0];
    }

    private sealed record InjectedError(ForwarderError Error, Exception? Exception) : IForwarderErrorFeature;
}
