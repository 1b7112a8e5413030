using System.Diagnostics;
using System.Net;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Polly;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Chaos;

/// <summary>
/// The last before the forwarder, so that the fence, circuits and retries take what it injects for the service's doing:
/// it leaves behind what the forwarder would have left.
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
            if (injected.Exception is not null || injected.Result != ChaosRule.Forward)
            {
                await StandInAsync(context, injected);
                return;
            }
        }

        await next(context);
    }

    /// <summary>Fails or answers in the service's place.</summary>
    private static async Task StandInAsync(HttpContext context, Outcome<int> injected)
    {
        Claim(context);
        var error = injected.Exception switch
        {
            // A wait that was cut short is what a slow service looks like: whether it got the request, nobody would
            // know.
            OperationCanceledException canceled => new InjectedError(ForwarderError.RequestCanceled, canceled),
            HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } refused =>
                new InjectedError(ForwarderError.Request, refused),
            HttpRequestException reset =>
                await ReadBodyAsync(context) ?? new InjectedError(ForwarderError.Request, reset),
            null => await ReadBodyAsync(context),
            var unexpected => throw new UnreachableException("No chaos rule injects this.", unexpected),
        };
        if (error is null)
        {
            context.Response.StatusCode = injected.Result;
            using var answer =
                new HttpResponseMessage((HttpStatusCode)injected.Result) { Content = new EmptyContent() };
            context.Features.GetRequiredFeature<GatewayRequest>().Attempts.HeadArrived(answer);
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status502BadGateway;
            context.Features.Set<IForwarderErrorFeature>(error);
        }
    }

    /// <summary>
    /// The service would have got the body, and only a body that was read whole can be sent again. What is wrong with
    /// it.
    /// </summary>
    private static async Task<InjectedError?> ReadBodyAsync(HttpContext context)
    {
        try
        {
            await context.Request.Body.DrainAsync(context.RequestAborted);
            return null;
        }
        catch (OperationCanceledException e)
        {
            return new InjectedError(ForwarderError.RequestBodyCanceled, e);
        }
        catch (IOException e)
        {
            return new InjectedError(ForwarderError.RequestBodyClient, e);
        }
    }

    /// <summary>The destination that the attempt would have gone to is the one that has failed or answered.</summary>
    private static void Claim(HttpContext context)
    {
        var proxy = context.GetReverseProxyFeature();
        proxy.ProxiedDestination = proxy.AvailableDestinations[0];
    }

    private sealed record InjectedError(ForwarderError Error, Exception? Exception) : IForwarderErrorFeature;
}
