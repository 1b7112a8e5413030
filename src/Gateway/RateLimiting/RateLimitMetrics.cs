using System.Diagnostics.Metrics;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>The rate limits' instruments. Tags are from closed sets: outcome, and the policy's name.</summary>
internal sealed class RateLimitMetrics
{
    private readonly Counter<long> _requests;
    private readonly Counter<long> _overflow;

    public RateLimitMetrics(IMeterFactory meters, RateLimitRegistry registry)
    {
        var meter = meters.Create("FenceGateway");
        _requests = meter.CreateCounter<long>(
            "fencegateway.ratelimit.requests", "{request}",
            "Requests on routes with a rate limit, by what became of them there.");
        _overflow = meter.CreateCounter<long>(
            "fencegateway.ratelimit.overflow", "{request}",
            "Requests that shared a partition because there were too many.");
        meter.CreateObservableGauge(
            "fencegateway.ratelimit.partitions",
            () => registry.All.Select(l => new Measurement<int>(l.Partitions.Count, Policy(l.Policy))),
            "{partition}",
            "Partitions that have a limit of their own.");
    }

    public void Count(RateLimitPolicy policy, RateLimitOutcome outcome)
    {
        if (_requests.Enabled)
        {
            _requests.Add(1, Policy(policy), new KeyValuePair<string, object?>("fencegateway.outcome", Name(outcome)));
        }
    }

    public void Overflowed(RateLimitPolicy policy)
    {
        if (_overflow.Enabled)
        {
            _overflow.Add(1, Policy(policy));
        }
    }

    private static KeyValuePair<string, object?> Policy(RateLimitPolicy policy) =>
        new("fencegateway.policy", policy.Name);

    private static string Name(RateLimitOutcome outcome) => outcome switch
    {
        RateLimitOutcome.Admitted => "admitted",
        RateLimitOutcome.Queued => "queued",
        RateLimitOutcome.Rejected => "rejected",
        RateLimitOutcome.Abandoned => "abandoned",
        RateLimitOutcome.ShuttingDown => "shutting_down",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, null),
    };
}
