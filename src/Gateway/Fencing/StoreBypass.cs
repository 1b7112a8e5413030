using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Fencing;

/// <summary>Forwards requests unfenced while the token store is away, where a policy asks for that, and says so aloud.</summary>
internal sealed class StoreBypass(FencingMetrics metrics, TimeProvider time, ILogger<StoreBypass> logger)
{
    /// <summary>From one warning to the next: a store that is away must not flood the log.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private long? _warnedAt;
    private long _since;

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
        if (Count() is { } count)
        {
            logger.StoreBypassed(policy.Name, count, fault);
        }

        return next(context);
    }

    /// <summary>Requests since the last warning, if it is time for another one.</summary>
    private long? Count()
    {
        lock (_gate)
        {
            _since++;
            if (_warnedAt is { } at && time.GetElapsedTime(at) < Quiet)
            {
                return null;
            }

            var count = _since;
            (_warnedAt, _since) = (time.GetTimestamp(), 0);
            return count;
        }
    }
}
