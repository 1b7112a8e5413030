using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Telemetry;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Carries out that a request is not forwarded: counts it and answers it, or lets it go on where the policy only
/// reports.
/// </summary>
internal sealed class FenceRefusals(FencingMetrics metrics, TimeProvider time, ILogger<FenceRefusals> logger)
{
    private readonly LogThrottle _faults = new(time);

    /// <param name="context">The request.</param>
    /// <param name="policy">The policy that it is judged by.</param>
    /// <param name="refusal">The verdict.</param>
    /// <param name="next">How it goes on under a policy that only reports.</param>
    public Task RefuseAsync(HttpContext context, FencingPolicy policy, FenceRefusal refusal, RequestDelegate next)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        request.Outcome = refusal.Outcome;
        metrics.Check(policy, refusal.Outcome);
        if (refusal.Fault is { } fault && _faults.Count() is { } count)
        {
            logger.CannotTell(count, fault);
        }

        if (policy.Mode != FencingMode.Report)
        {
            return ProblemResponse.WriteAsync(context, refusal.Type, refusal.Detail, refusal.RetryAfter);
        }

        logger.WouldRefuse(
            policy.Name, request.Fence?.Resource.Value ?? context.Request.Path.Value, refusal.Outcome.Name(),
            refusal.Detail);
        request.Withdraw();
        return next(context);
    }

    /// <summary>The client has left while the request waited for its turn.</summary>
    public void Abandon(HttpContext context, GatewayRequest request)
    {
        ProblemResponse.Abandon(context);
        request.Outcome = FenceOutcome.Abandoned;
        metrics.Check(request.Policy!, FenceOutcome.Abandoned);
    }
}
