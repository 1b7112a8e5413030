using FenceGateway.Gateway.Lifecycle;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using FenceGateway.TokenStore;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Admits a fenced request as the last step before it is forwarded (R7): after every queue, with the destination
/// chosen. The forwarding middleware, which stands around it, tells the fence how the write ended.
/// </summary>
internal sealed class AdmissionMiddleware(
    RequestDelegate next,
    FenceTable table,
    ShutdownSignal shutdown,
    FenceRefusals refusals,
    StoreBypass bypass,
    FencingMetrics metrics,
    TimeProvider time,
    ILogger<AdmissionMiddleware> logger)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        if (!request.NeedsAdmission || request.Fence is not { } fence)
        {
            return next(context);
        }

        if (request.Ticket.IsOpen)
        {
            return AdmitAgainAsync(context, request, fence);
        }

        if (context.Request.ContentLength > BodyLimit(context))
        {
            // Refused before it counts as a write: nothing of it is sent, so nothing is in doubt.
            return RefuseAsync(context, request, new(
                FenceOutcome.BodyTooLarge, ProblemType.ContentTooLarge,
                "The request body is longer than this gateway takes."));
        }

        if (!fence.TryAdmit(request.Token, request.IsWrite, out var admission))
        {
            return WaitAsync(context, request, fence);
        }

        Accept(request, admission);
        return ContinueAsync(context, request, admission);
    }

    /// <summary>
    /// Another attempt of a write that the fence counts already (R7). It does not wait: whoever has sealed its token
    /// waits for it.
    /// </summary>
    private Task AdmitAgainAsync(HttpContext context, GatewayRequest request, ResourceFence fence)
    {
        var policy = request.Policy!;
        if (table.StillAdmits(fence, request.Token, policy.Rules) || policy.Mode == FencingMode.Report)
        {
            return next(context);
        }

        if (request.Attempts.MayBeApplied)
        {
            // 409 would say that it was not (R9): the answer is about the attempt which may have been applied.
            return Task.CompletedTask;
        }

        return RefuseAsync(context, request, request.Token.Value < fence.Mark
            ? FenceCheck.Stale(request.Token, fence)
            : request.Ticket.IsSessionOver
                ? FenceCheck.StoreUnavailable("This gateway's session in the token store ended. Nothing was sent.")
                : Draining(new Admission(AdmissionStatus.Draining, fence, fence.Mark)));
    }

    /// <summary>
    /// The longest body that Kestrel will take; null when any will do. YARP sets the route's own limit only further on.
    /// </summary>
    private static long? BodyLimit(HttpContext context) => context.GetRouteModel().Config.MaxRequestBodySize switch
    {
        null => context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize,
        < 0 => null,
        var limit => limit,
    };

    private async Task WaitAsync(HttpContext context, GatewayRequest request, ResourceFence fence)
    {
        var policy = request.Policy!;
        var started = time.GetTimestamp();
        Admission admission;
        if (request.IsWrite && policy.Mode == FencingMode.Enforce)
        {
            // A fenced write has times of its own.
            context.Features.Get<IHttpRequestTimeoutFeature>()?.DisableTimeout();
        }

        using var wait = new RequestWait(context, shutdown);
        try
        {
            admission = await table.AdmitAsync(fence, request.Token, request.IsWrite, policy.Rules, wait.Token);
        }
        catch (OperationCanceledException)
        {
            await GiveUpAsync(context, request, fence, wait.End);
            return;
        }
        catch (TokenStoreUnavailableException e)
        {
            // The store was not even asked: there is no room for the resource, and no reason to let it pass unfenced.
            await RefuseAsync(context, request, request.Token.Value < fence.Mark
                ? FenceCheck.Stale(request.Token, fence)
                : FenceCheck.StoreUnavailable(e.Message));
            return;
        }

        Accept(request, admission);
        metrics.Waited(policy, admission.Status, time.GetElapsedTime(started));
        await ContinueAsync(context, request, admission);
    }

    private Task GiveUpAsync(HttpContext context, GatewayRequest request, ResourceFence fence, WaitEnd end)
    {
        switch (end)
        {
            case WaitEnd.ShuttingDown:
                return RefuseAsync(context, request, new(FenceOutcome.ShuttingDown, ProblemType.ShuttingDown,
                    "The gateway stops; older writes had not ended yet. This attempt was not forwarded.",
                    ProblemResponse.Soon));
            case WaitEnd.TimedOut:
                return RefuseAsync(context, request, fence.AwaitsStore
                    ? FenceCheck.StoreUnavailable("The route's Timeout passed before the token store answered.")
                    : Draining(new Admission(AdmissionStatus.Draining, fence, fence.Mark)));
            default:
                refusals.Abandon(context, request);
                return Task.CompletedTask;
        }
    }

    /// <summary>
    /// Takes charge of a write that the fence counts from now on, before anything else can fail; a refusal is the
    /// deciding fence's.
    /// </summary>
    private void Accept(GatewayRequest request, in Admission admission)
    {
        if (admission.Status == AdmissionStatus.Admitted && request.IsWrite)
        {
            request.Begin(admission.Fence, admission.Session, time.GetTimestamp());
        }
        else
        {
            request.DecidedBy(admission.Fence);
        }
    }

    private Task ContinueAsync(HttpContext context, GatewayRequest request, in Admission admission) =>
        admission.Status switch
        {
            AdmissionStatus.Admitted => ForwardAsync(context, request),
            AdmissionStatus.Stale => RefuseAsync(context, request, FenceCheck.Stale(request.Token, admission.Fence)),
            AdmissionStatus.Draining => RefuseAsync(context, request, Draining(admission)),
            _ => RefuseUnknownAsync(context, request, admission.Fence, admission.Fault!),
        };

    /// <summary>The store cannot tell (R8). What is known to be stale is stale without it.</summary>
    private Task RefuseUnknownAsync(HttpContext context, GatewayRequest request, ResourceFence fence, string fault) =>
        request.Token.Value < fence.Mark ? RefuseAsync(context, request, FenceCheck.Stale(request.Token, fence))
        : request.Policy!.StoreUnavailable == StoreUnavailableAction.Allow
            ? bypass.ForwardAsync(context, request, fault, next)
        : RefuseAsync(context, request, FenceCheck.StoreUnavailable(fault));

    private Task ForwardAsync(HttpContext context, GatewayRequest request)
    {
        var policy = request.Policy!;
        request.Outcome = FenceOutcome.Admitted;
        metrics.Check(policy, FenceOutcome.Admitted);
        TokenHeaders.Canonicalize(context.Request.Headers, policy, request.Token);
        if (request.Ticket.IsOpen && policy.AdvanceOn == AdvanceOn.Success)
        {
            context.Response.OnStarting(() => AdvanceAsync(context, request));
        }

        return next(context);
    }

    /// <summary>Before the client learns of the success, the mark is durable.</summary>
    private async Task AdvanceAsync(HttpContext context, GatewayRequest request)
    {
        var fence = request.Fence!;
        // An answer without a body starts only after the write has ended; the gateway's own answers to a write are no
        // successes.
        if (context.Response.StatusCode is < 200 or >= 400)
        {
            return;
        }

        try
        {
            if (await table.AdvanceAsync(
                    fence, request.Token, request.Policy!.Rules, CancellationToken.None) is { } fault)
            {
                logger.AdvanceFailed(fence.Resource.Value, request.Token.Value, fault);
            }
        }
        catch (TokenStoreUnavailableException e)
        {
            // The service's answer stands: the write has been applied.
            logger.AdvanceFailed(fence.Resource.Value, request.Token.Value, e.Message);
        }
    }

    private Task RefuseAsync(HttpContext context, GatewayRequest request, FenceRefusal refusal) =>
        refusals.RefuseAsync(context, request.Policy!, refusal, next);

    private static FenceRefusal Draining(in Admission admission) => new(
        FenceOutcome.Draining, ProblemType.FenceDraining,
        "Writes with older tokens are still in flight or in doubt. The mark is raised: they cannot be followed by "
        + "others. This attempt was not forwarded; try again.",
        admission.RetryAfter ?? ProblemResponse.Soon);
}
