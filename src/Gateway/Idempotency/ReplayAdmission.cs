using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Lifecycle;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using FenceGateway.TokenStore;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>
/// Shows the token of a repeat to the fence before the stored answer is given (R18): it is admitted as a read, which
/// advances the mark and waits for older writes, and nothing is in flight for it. A stale token gets its answer all the
/// same: nothing is forwarded (R9).
/// </summary>
internal sealed class ReplayAdmission(
    FenceCheck check, FenceTable table, ShutdownSignal shutdown, FenceRefusals refusals, FencingMetrics metrics)
{
    /// <summary>Refuses the repeat, or gives the stored answer.</summary>
    /// <param name="context">The repeat.</param>
    /// <param name="status">The status of the stored answer.</param>
    /// <param name="replay">Gives it.</param>
    public Task RunAsync(HttpContext context, int status, RequestDelegate replay)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<FencingPolicy>() is not { Mode: not FencingMode.Off } policy)
        {
            return replay(context);
        }

        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        if (check.CheckReplay(context, policy, request) is { } refusal)
        {
            return refusals.RefuseAsync(context, policy, refusal, replay);
        }

        return request.NeedsAdmission ? AdmitAsync(context, policy, request, status, replay) : replay(context);
    }

    private async Task AdmitAsync(
        HttpContext context, FencingPolicy policy, GatewayRequest request, int status, RequestDelegate replay)
    {
        FenceRefusal? refusal;
        using (var wait = new RequestWait(context, shutdown))
        {
            try
            {
                refusal = policy.AdvanceOn == AdvanceOn.Success
                    ? await AdvanceAsync(policy, request, status, wait.Token)
                    : Refusal(policy, await AdmitAsync(policy, request, wait.Token));
            }
            catch (OperationCanceledException) when (wait.End == WaitEnd.ClientLeft)
            {
                refusals.Abandon(context, request);
                return;
            }
            catch (OperationCanceledException)
            {
                refusal = GivenUp(request.Fence!, wait.End);
            }
            catch (TokenStoreUnavailableException e)
            {
                refusal = FenceCheck.StoreUnavailable(e.Message);
            }
        }

        if (refusal is not null)
        {
            await refusals.RefuseAsync(context, policy, refusal, replay);
            return;
        }

        request.Outcome = FenceOutcome.Replayed;
        metrics.Check(policy, FenceOutcome.Replayed);
        request.Withdraw();
        await replay(context);
    }

    private ValueTask<Admission> AdmitAsync(
        FencingPolicy policy, GatewayRequest request, CancellationToken cancellationToken) =>
        request.Fence!.TryAdmit(request.Token, isWrite: false, out var admission)
            ? new(admission)
            : table.AdmitAsync(request.Fence!, request.Token, isWrite: false, policy.Rules, cancellationToken);

    /// <summary>
    /// A policy that advances on success does so when the client learns of the success, by whoever's answer.
    /// </summary>
    private async ValueTask<FenceRefusal?> AdvanceAsync(
        FencingPolicy policy, GatewayRequest request, int status, CancellationToken cancellationToken)
    {
        var fault = status is >= 200 and < 400
            ? await table.AdvanceAsync(request.Fence!, request.Token, policy.Rules, cancellationToken)
            : null;
        return fault is null ? null : Unknown(policy, fault);
    }

    private static FenceRefusal? Refusal(FencingPolicy policy, in Admission admission) => admission.Status switch
    {
        AdmissionStatus.Admitted or AdmissionStatus.Stale => null,
        AdmissionStatus.Draining => Draining(admission.RetryAfter),
        _ => Unknown(policy, admission.Fault!),
    };

    private static FenceRefusal? Unknown(FencingPolicy policy, string fault) =>
        policy.StoreUnavailable == StoreUnavailableAction.Allow ? null : FenceCheck.StoreUnavailable(fault);

    private static FenceRefusal GivenUp(ResourceFence fence, WaitEnd end) => end switch
    {
        WaitEnd.ShuttingDown => new(FenceOutcome.ShuttingDown, ProblemType.ShuttingDown,
            "The gateway stops; older writes had not ended yet. Repeat the request to get its answer.",
            ProblemResponse.Soon),
        _ when fence.AwaitsStore =>
            FenceCheck.StoreUnavailable("The route's Timeout passed before the token store answered."),
        _ => Draining(null),
    };

    private static FenceRefusal Draining(TimeSpan? retryAfter) => new(
        FenceOutcome.Draining, ProblemType.FenceDraining,
        "The request with this Idempotency-Key was answered, but writes with older tokens are still in flight or in "
        + "doubt. The mark is raised: they cannot be followed by others. This attempt was not forwarded; try again to "
        + "get the answer.",
        retryAfter ?? ProblemResponse.Soon);
}
