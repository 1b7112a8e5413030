using Polly;
using Polly.CircuitBreaker;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>
/// Polly's circuit breaker, told of outcomes instead of running what has them. Nothing in it waits, so that each call
/// has its effect before it returns. Not safe for use by several threads.
/// </summary>
internal sealed class Breaker
{
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly CircuitBreakerManualControl _control = new();
    private readonly ResiliencePipeline<bool> _pipeline;

    public Breaker(CircuitBreakerPolicy policy, TimeProvider time) =>
        _pipeline = new ResiliencePipelineBuilder<bool> { TimeProvider = new MonotonicTime(time) }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<bool>
            {
                FailureRatio = policy.FailureRatio,
                MinimumThroughput = policy.MinimumThroughput,
                SamplingDuration = policy.SamplingDuration,
                StateProvider = _state,
                ManualControl = _control,
                ShouldHandle = static args => new(args.Outcome.Result),
                // Polly tells nobody else what it opens for.
                BreakDurationGenerator = args =>
                {
                    Failures = args.FailureCount;
                    Attempts = (int)Math.Round(args.FailureCount / args.FailureRate);
                    return new(policy.BreakDuration);
                },
            })
            .Build();

    /// <summary>Open until it is told of an outcome, even if the break is over.</summary>
    public CircuitState State => _state.CircuitState;

    /// <summary>Failed attempts within the sampling duration when it last opened.</summary>
    public int Failures { get; private set; }

    /// <summary>All attempts within the sampling duration when it last opened.</summary>
    public int Attempts { get; private set; }

    /// <summary>Ignored while the break lasts.</summary>
    public void Tell(bool hasFailed)
    {
        var context = ResilienceContextPool.Shared.Get(CancellationToken.None);
        var telling = _pipeline.ExecuteOutcomeAsync(
            static (_, hasFailed) => new ValueTask<Outcome<bool>>(Outcome.FromResult(hasFailed)), context, hasFailed);
        Check(telling.IsCompletedSuccessfully);
        ResilienceContextPool.Shared.Return(context);
    }

    public void Isolate() => Check(_control.IsolateAsync(CancellationToken.None).IsCompletedSuccessfully);

    /// <summary>Also forgets the outcomes so far.</summary>
    public void Close() => Check(_control.CloseAsync(CancellationToken.None).IsCompletedSuccessfully);

    private static void Check(bool isDone)
    {
        if (!isDone)
        {
            throw new InvalidOperationException("Polly's circuit breaker waits or fails, although it runs nothing.");
        }
    }
}
