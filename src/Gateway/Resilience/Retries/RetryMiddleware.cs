using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Polly;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Resilience.Retries;

/// <summary>
/// Runs what comes after it once more where <see cref="RetryDecision"/> grants it: circuit, destination, admission and
/// forwarder. The write stays registered at its fence from the first attempt to the end of the last.
/// </summary>
internal sealed class RetryMiddleware(RequestDelegate next, Attempts attempts, RetryMetrics metrics, TimeProvider time)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        return request.Mechanisms(context).Retrying is { } retrying
            ? RunAsync(context, request, retrying)
            : next(context);
    }

    private async Task RunAsync(HttpContext context, GatewayRequest request, Retrying retrying)
    {
        retrying.Budget.CountRequest();
        var decision = new RetryDecision(context, retrying, metrics, time);
        request.Attempts.Retry = decision;
        if (decision.KeepsBody && context.Request.ContentLength > 0
            && context.Request.ContentLength <= retrying.Policy.MaxBody)
        {
            context.Request.EnableBuffering(retrying.Policy.MaxBody, retrying.Policy.MaxBody);
        }

        var before = new Before(context);
        await next(context);
        attempts.End(context, request);
        if (IsFollowed(context, request, decision))
        {
            await RunAgainAsync(context, request, retrying, before);
        }
    }

    private async Task RunAgainAsync(HttpContext context, GatewayRequest request, Retrying retrying, Before before)
    {
        var client = request.Ticket.IsBounded || request.OutlivesClient
            ? CancellationToken.None
            : context.RequestAborted;
        var waiting = ResilienceContextPool.Shared.Get(client);
        try
        {
            var run = new Run(this, context, request, before);
            await retrying.Waits.ExecuteAsync(static (waiting, run) => run.NextAsync(waiting), waiting, run);
        }
        catch (OperationCanceledException) when (client.IsCancellationRequested)
        {
            // The client left between two attempts; how the last one ended stands.
        }
        finally
        {
            ResilienceContextPool.Shared.Return(waiting);
        }

        if (request.Attempts is { Retry.IsGranted: true, Last.Fault: AttemptFault.None })
        {
            before.Restore(context);
            await AnswerDroppedAsync(
                context, request, ProblemType.UpstreamTimeout, "there was no time left to try again");
        }
    }

    /// <summary>Makes another attempt. False: it was refused before anything was sent.</summary>
    private async Task<bool> TryAgainAsync(HttpContext context, GatewayRequest request, Before before)
    {
        var failure = context.Features.Get<IForwarderErrorFeature>();
        var count = request.Attempts.Count;
        before.Restore(context);
        request.Attempts.Retry!.Use();
        await next(context);
        if (request.Attempts.Count > count)
        {
            attempts.End(context, request);
            return true;
        }

        if (!request.Attempts.MayBeApplied)
        {
            request.Attempts.Last = null;
        }
        else if (failure is not null)
        {
            // Whoever refused has not answered: that an earlier attempt may have been applied is what the client has to
            // know.
            context.Features.Set(failure);
        }
        else
        {
            await AnswerDroppedAsync(context, request, ProblemType.UpstreamUnreachable, "it could not be tried again");
        }

        return false;
    }

    /// <summary>
    /// Whether another attempt follows the last one: where no time is left, none is taken out of the budget.
    /// </summary>
    private bool IsFollowed(HttpContext context, GatewayRequest request, RetryDecision decision) =>
        request.Attempts.Last is { } last
        && (decision.IsGranted || !IsOver(context, request))
        && decision.GrantAfter(last, request.Attempts);

    /// <summary>An answer was dropped for an attempt that was not made after all.</summary>
    private static Task AnswerDroppedAsync(HttpContext context, GatewayRequest request, ProblemType type, string why) =>
        ProblemResponse.WriteAsync(
            context, type, $"The service answered {request.Attempts.Status}, and {why}."
            + (request.Attempts.LeftInDoubt ? " An earlier attempt may have been applied: its end is unknown." : ""));

    private bool IsOver(HttpContext context, GatewayRequest request) =>
        attempts.Remaining(request, request.Mechanisms(context).Timeouts) == TimeSpan.Zero;

    /// <summary>What the request looked like before the first attempt.</summary>
    private sealed class Before(HttpContext context)
    {
        private readonly IReadOnlyList<DestinationState> _destinations = context
            .GetReverseProxyFeature().AvailableDestinations;
        private readonly KeyValuePair<string, StringValues>[] _headers = [.. context.Response.Headers];

        /// <summary>
        /// Takes away what the last attempt has left, and the destination that it went to if another takes requests.
        /// </summary>
        public void Restore(HttpContext context)
        {
            context.Response.Clear();
            foreach (var (name, values) in _headers)
            {
                context.Response.Headers[name] = values;
            }

            context.Features.Set<IForwarderErrorFeature>(null);
            if (context.Request.Body.CanSeek)
            {
                context.Request.Body.Position = 0;
            }

            var proxy = context.GetReverseProxyFeature();
            var circuits = context.Features.GetRequiredFeature<GatewayRequest>().Mechanisms(context).Circuits;
            proxy.AvailableDestinations = proxy.ProxiedDestination is { } failed
                && _destinations.Any(d => d != failed && circuits?.Of(d.DestinationId) is not { IsClosed: false })
                    ? [.. _destinations.Where(destination => destination != failed)]
                    : _destinations;
            proxy.ProxiedDestination = null;
        }
    }

    /// <summary>What Polly runs: nothing the first time, so that it waits, and an attempt each further time.</summary>
    private sealed class Run(RetryMiddleware middleware, HttpContext context, GatewayRequest request, Before before)
    {
        private bool _hasWaited;

        /// <summary>Whether another attempt is to follow.</summary>
        public async ValueTask<bool> NextAsync(ResilienceContext waiting)
        {
            var again = !_hasWaited || await TryAsync();
            _hasWaited = true;
            waiting.Properties.Set(Retrying.RetryAfter, request.Attempts.Retry!.RetryAfter);
            return again;
        }

        private async ValueTask<bool> TryAsync() =>
            !middleware.IsOver(context, request)
            && await middleware.TryAgainAsync(context, request, before)
            && middleware.IsFollowed(context, request, request.Attempts.Retry!);
    }
}
