using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using FenceGateway.Idempotency;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>
/// The last before the first attempt of a request whose key is claimed: when nothing can refuse it any more, the key is
/// durably started, so that a crash leaves it unknown and not free. What is refused before costs no write, with a key
/// as without one.
/// </summary>
internal sealed class IdempotencyStartMiddleware(
    RequestDelegate next, IIdempotencyStore store, Attempts attempts, IdempotencyMetrics metrics, TimeProvider time)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();

        // Without a destination the forwarder sends nothing.
        var destinations = context.GetReverseProxyFeature().AvailableDestinations;
        return request.Keyed is { IsStarted: false } keyed && destinations.Count > 0
            ? StartAsync(context, request, keyed)
            : next(context);
    }

    private async Task StartAsync(HttpContext context, GatewayRequest request, KeyedRequest keyed)
    {
        var began = time.GetTimestamp();
        try
        {
            // A fenced write holds newer tokens back from its admission on: no disk may make that longer than its time.
            await store.StartAsync(keyed.Claim, context.RequestAborted).AsTask()
                .WaitAsync(attempts.Remaining(request, times: null), time, CancellationToken.None);
        }
        catch (Exception e) when (e is IdempotencyStoreUnavailableException or TimeoutException)
        {
            var why = e is TimeoutException ? "The disk did not take the key within the write's time." : e.Message;
            metrics.Request(keyed.Route, KeyedOutcome.Full);
            await ProblemResponse.WriteAsync(
                context, ProblemType.IdempotencyStoreFull, $"{why} This request was not forwarded.",
                ProblemResponse.Soon);
            return;
        }
        catch (OperationCanceledException)
        {
            ProblemResponse.Abandon(context);
            return;
        }

        metrics.Stored(StoreStep.Start, time.GetElapsedTime(began));
        keyed.IsStarted = request.OutlivesClient = true;
        await next(context);
    }
}
