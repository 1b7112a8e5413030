using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;
using FenceGateway.Idempotency;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>
/// Stands around all attempts of a request whose key is claimed. Behind them the answer is stored, which is held back
/// until then. A request that was refused before any attempt was started ends without a write.
/// </summary>
internal sealed class IdempotencyEndMiddleware(
    RequestDelegate next,
    IIdempotencyStore store,
    Attempts attempts,
    IdempotencyMetrics metrics,
    TimeProvider time,
    ILogger<IdempotencyEndMiddleware> logger)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        return request.Keyed is { } keyed ? RunAsync(context, request, keyed) : next(context);
    }

    private async Task RunAsync(HttpContext context, GatewayRequest request, KeyedRequest keyed)
    {
        var own = context.Response.Headers.Keys.ToArray();
        try
        {
            await next(context);
            attempts.End(context, request);
        }
        catch when (keyed.IsStarted)
        {
            // Nobody knows what was sent.
            await AbandonAsync(keyed, UnknownReason.Interrupted);
            throw;
        }

        await EndAsync(context, keyed, own, KeyedEnds.Of(request.Attempts, context.Response.StatusCode));
    }

    private async Task EndAsync(HttpContext context, KeyedRequest keyed, string[] own, KeyedEnd end)
    {
        switch (end)
        {
            case KeyedEnd.Released:
                // Whoever has claimed the key does it.
                return;
            case KeyedEnd.Unknown:
                logger.InDoubt(keyed.Route);
                await AbandonAsync(keyed, UnknownReason.Interrupted);
                return;
            case KeyedEnd.Answered when keyed.Answer.HasPassed:
                logger.AnswerTooLong(keyed.Route, keyed.Policy.MaxAnswerBody);
                await AbandonAsync(keyed, UnknownReason.TooLong);
                return;
            case KeyedEnd.Answered when context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers.Count > 0:
                logger.AnswerNotStored(keyed.Route, "it has trailers.");
                await AbandonAsync(keyed, UnknownReason.Unreadable);
                return;
            default:
                await StoreAsync(context, keyed, own);
                return;
        }
    }

    private async Task StoreAsync(HttpContext context, KeyedRequest keyed, string[] own)
    {
        keyed.HasEnded = true;
        var response = context.Response;
        var headers = AnswerHeaders.Keep(response.Headers, own);
        var answer = new StoredAnswer(response.StatusCode, headers, keyed.Answer.Body);
        var began = time.GetTimestamp();
        try
        {
            await store.CompleteAsync(keyed.Claim, answer, CancellationToken.None);
            metrics.Stored(StoreStep.Complete, time.GetElapsedTime(began));
        }
        catch (IdempotencyStoreUnavailableException e)
        {
            // The service has answered, and its word stands; it cannot be repeated.
            logger.AnswerNotStored(keyed.Route, e.Message);
        }
    }

    private ValueTask AbandonAsync(KeyedRequest keyed, UnknownReason reason)
    {
        keyed.HasEnded = true;
        return store.AbandonAsync(keyed.Claim, reason, CancellationToken.None);
    }
}
