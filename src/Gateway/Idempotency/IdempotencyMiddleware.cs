using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Idempotency;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>
/// Answers the repeats of a write that carries an Idempotency-Key, stale ones too (R9), when the fence has seen their
/// token (R18), and lets the first one go on with its key claimed. A key that nothing was sent for is free again,
/// without any I/O.
/// </summary>
internal sealed class IdempotencyMiddleware(
    RequestDelegate next,
    IIdempotencyStore store,
    ReplayAdmission replays,
    IdempotencyMetrics metrics,
    ILogger<IdempotencyMiddleware> logger)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        var method = context.Request.Method;
        if (request.Mechanisms(context).Idempotency is not { } policy || RequestSemantics.IsSafe(method)
            || HttpMethods.IsConnect(method))
        {
            return next(context);
        }

        var values = context.Request.Headers[IdempotencyKey.Header];
        if (values.Count == 0 && policy.Mode == IdempotencyMode.Optional)
        {
            return next(context);
        }

        var route = context.GetEndpoint()!.Metadata.GetMetadata<RouteModel>()!;
        if (values.Count == 0)
        {
            return RefuseAsync(context, route, KeyedOutcome.Missing, ProblemType.IdempotencyKeyRequired,
                "Send a header Idempotency-Key with a value that no other request has, such as a UUID, and the same "
                    + "one with each repeat.");
        }

        return IdempotencyKey.TryParse(values, out var key)
            ? CheckAsync(context, request, policy, route, key)
            : RefuseAsync(context, route, KeyedOutcome.Malformed, ProblemType.IdempotencyKeyMalformed,
                $"Idempotency-Key must be one value of 1 to {IdempotencyKey.MaxLength} visible ASCII characters, in "
                + "quotes or, without quotes, commas, semicolons and backslashes, as it is.");
    }

    private async Task CheckAsync(
        HttpContext context, GatewayRequest request, IdempotencyPolicy policy, RouteModel route, string key)
    {
        var limit = KeyedBody.Limit(route, policy.MaxRequestBody);
        ReadOnlyMemory<byte>? body;
        try
        {
            body = await KeyedBody.ReadAsync(context, limit);
        }
        catch (BadHttpRequestException e)
        {
            metrics.Request(route.Config.RouteId, KeyedOutcome.BadBody);
            await ProblemResponse.WriteBadBodyAsync(context, e, " Nothing was sent.");
            return;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            if (context.Features.Get<IHttpRequestTimeoutFeature>()?.RequestTimeoutToken.IsCancellationRequested == true)
            {
                await RefuseAsync(context, route, KeyedOutcome.BadBody, ProblemType.RequestTimeout,
                    "The request body did not come within the route's time-out. Nothing was sent.");
                return;
            }

            // The client left before its request was complete.
            ProblemResponse.Abandon(context);
            return;
        }

        if (body is null)
        {
            await RefuseAsync(context, route, KeyedOutcome.BadBody, ProblemType.ContentTooLarge,
                $"A request with an Idempotency-Key may have a body of {limit} bytes on this route. Nothing was sent.");
            return;
        }

        var claim = new ClaimRequest(
            KeyHash.Of(route.Config.RouteId, request.TenantScope, key),
            KeyedBody.Fingerprint(context, body.Value.Span),
            policy.Ttl,
            policy.HonouredByService);
        await AnswerAsync(context, policy, route, await store.ClaimAsync(claim, CancellationToken.None));
    }

    private Task AnswerAsync(HttpContext context, IdempotencyPolicy policy, RouteModel route, in ClaimReply reply)
    {
        switch (reply.Status)
        {
            case ClaimStatus.Claimed:
                return GoOnAsync(context, policy, route.Config.RouteId, reply.Claim!);
            case ClaimStatus.Completed:
                return ReplayAsync(context, route, reply.Answer!);
            case ClaimStatus.Running:
                return RefuseAsync(context, route, KeyedOutcome.InProgress, ProblemType.IdempotencyKeyInProgress,
                    "The first request with this Idempotency-Key has not been answered yet. This one was not "
                    + "forwarded; repeat it to get the answer.", ProblemResponse.Soon);
            case ClaimStatus.Reused:
                return RefuseAsync(context, route, KeyedOutcome.Reused, ProblemType.IdempotencyKeyReused,
                    "An earlier request with this Idempotency-Key had another method, target, content type or body. "
                    + "This one was not forwarded; send it with a key of its own.");
            case ClaimStatus.Unknown:
                logger.RepeatOfUnknown(route.Config.RouteId, reply.Reason);
                return RefuseAsync(context, route, KeyedOutcome.Unknown, ProblemType.IdempotencyOutcomeUnknown, Explain(
                    reply.Reason)
                    + " This repeat was not forwarded: find out at the service whether the first one was applied.");
            default:
                return RefuseAsync(context, route, KeyedOutcome.Full, ProblemType.IdempotencyStoreFull,
                    $"{reply.Detail} This request was not forwarded.", reply.RetryAfter);
        }
    }

    private Task ReplayAsync(HttpContext context, RouteModel route, StoredAnswer answer) =>
        replays.RunAsync(context, answer.Status, admitted =>
        {
            metrics.Request(route.Config.RouteId, KeyedOutcome.Replayed);
            admitted.Features.GetRequiredFeature<GatewayRequest>().IsReplayed = true;
            return AnswerHeaders.ReplayAsync(admitted.Response, answer);
        });

    /// <summary>
    /// The answer, whoever gives it, is held back until the claim has ended and all places are given back: a repeat
    /// that follows it finds the key as the answer says, and a client that is slow to read holds nobody up.
    /// </summary>
    private async Task GoOnAsync(HttpContext context, IdempotencyPolicy policy, string route, IdempotencyClaim claim)
    {
        metrics.Request(route, KeyedOutcome.First);
        var body = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        var held = new HeldAnswer(body, policy.MaxAnswerBody);
        var keyed = new KeyedRequest(route, policy, claim, held);
        context.Features.GetRequiredFeature<GatewayRequest>().Keyed = keyed;
        context.Features.Set<IHttpResponseBodyFeature>(held);
        try
        {
            await next(context);
        }
        finally
        {
            context.Features.Set(body);
            if (!keyed.HasEnded)
            {
                await store.ReleaseAsync(claim, CancellationToken.None);
            }
        }

        await held.SendAsync();
    }

    private Task RefuseAsync(
        HttpContext context, RouteModel route, KeyedOutcome outcome, ProblemType type, string detail,
        TimeSpan? retryAfter = null)
    {
        metrics.Request(route.Config.RouteId, outcome);
        return ProblemResponse.WriteAsync(context, type, detail, retryAfter);
    }

    private static string Explain(UnknownReason reason) => reason switch
    {
        UnknownReason.TooLong => "The first request with this Idempotency-Key was answered, and its answer was too "
            + "long to be kept.",
        UnknownReason.Unreadable => "The first request with this Idempotency-Key was answered, and its answer could "
            + "not be kept.",
        _ => "The first request with this Idempotency-Key may have been applied, and its answer is not known.",
    };
}
