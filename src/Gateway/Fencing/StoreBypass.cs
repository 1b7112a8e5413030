using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Telemetry;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Forwards requests unfenced while the token store is away, where a policy asks for that, and says so aloud.
/// </summary>
internal sealed class StoreBypass(FencingMetrics metrics, TimeProvider time, ILogger<StoreBypass> logger)
{
    private readonly LogThrottle _bypassed = new(time);

    /// <param name="context">The request.</param>
    /// <param name="request">What is known of it; not in flight at the fence.</param>
    /// <param name="fault">Why the store cannot tell.</param>
    /// <param name="next">Forwards it.</param>
    public Task ForwardAsync(HttpContext context, GatewayRequest request, string fault, RequestDelegate next)
    {
        var policy = request.Policy!;
        request.Outcome = FenceOutcome.StoreBypassed;
        metrics.Check(policy, FenceOutcome.StoreBypassed);
        TokenHeaders.Canonicalize(context.Request.Headers, policy, request.Token);
        request.Withdraw();
        if (_bypassed.Count() is { } count)
        {
            logger.StoreBypassed(policy.Name, count, fault);
        }

        return next(context);
    }
}
