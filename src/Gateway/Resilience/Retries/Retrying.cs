using Polly;
using Polly.Retry;

namespace FenceGateway.Gateway.Resilience.Retries;

/// <summary>Retries on a route: the policy, its budget, and the waits between attempts.</summary>
internal sealed class Retrying
{
    public static readonly ResiliencePropertyKey<TimeSpan?> RetryAfter = new("retry-after");

    public Retrying(string route, RetryPolicy policy, IdempotencyPolicy? keys, RetryBudget budget, TimeProvider time)
    {
        (Route, Policy, Budget, KeysAreHonoured) = (route, policy, budget, keys is { HonouredByService: true });
        Waits = new ResiliencePipelineBuilder<bool> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<bool>
            {
                MaxRetryAttempts = policy.MaxAttempts - 1,
                Delay = policy.BaseDelay,
                MaxDelay = policy.MaxDelay,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                ShouldHandle = static args => new(args.Outcome.Result),
                DelayGenerator = static args => new(args.Context.Properties.GetValue(RetryAfter, null)),
            })
            .Build();
    }

    public string Route { get; }

    public RetryPolicy Policy { get; }

    public RetryBudget Budget { get; }

    /// <summary>Whether the service takes two requests with one Idempotency-Key for one.</summary>
    public bool KeysAreHonoured { get; }

    /// <summary>Runs a callback again, after a wait, for as long as it returns true and attempts are left.</summary>
    public ResiliencePipeline<bool> Waits { get; }
}
