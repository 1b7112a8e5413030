using Polly.CircuitBreaker;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>Tells the log and the instruments what circuits do. Never called under a circuit's lock.</summary>
internal sealed class CircuitEvents(CircuitMetrics metrics, ILogger<Circuit> logger)
{
    public void Attempted(CircuitName name, AttemptVerdict verdict) => metrics.Attempted(name, verdict);

    public void Changed(CircuitName name, CircuitChange? change)
    {
        if (change is null)
        {
            return;
        }

        metrics.Changed(name, change.To);
        switch (change)
        {
            case { To: CircuitState.Open }:
                logger.Opened(name.Cluster, name.Destination, name.Policy, change.BreakDuration, change.Reason!);
                break;
            case { To: CircuitState.HalfOpen }:
                logger.HalfOpened(name.Cluster, name.Destination, name.Policy);
                break;
            case { To: CircuitState.Closed }:
                logger.Closed(name.Cluster, name.Destination, name.Policy, change.Reason!);
                break;
            default:
                logger.Isolated(name.Cluster, name.Destination, name.Policy, change.Reason!);
                break;
        }
    }
}
