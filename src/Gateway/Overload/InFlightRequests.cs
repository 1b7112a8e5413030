using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Overload;

/// <summary>Counts the requests in progress on the data listener and says when there are too many.</summary>
internal sealed class InFlightRequests
{
    private volatile LimitsOptions _limits = new();
    private volatile int _limit;
    private int _count;

    public InFlightRequests(InForce<LimitsOptions> limits, ILogger<InFlightRequests> logger) =>
        limits.Follow(current => Take(current, DescriptorLimit.Descriptors(), logger));

    /// <summary>Those in progress; for a moment also those that are being turned away.</summary>
    public int Count => Volatile.Read(ref _count);

    public int Limit => _limit;

    public TimeSpan RetryAfter => _limits.RetryAfter;

    /// <summary>
    /// Takes a request in, unless the limit is reached. Whoever got true calls <see cref="Leave"/> once.
    /// </summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _count) <= _limit)
        {
            return true;
        }

        Interlocked.Decrement(ref _count);
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _count);

    private void Take(LimitsOptions limits, long descriptors, ILogger logger)
    {
        var (connections, inFlight) = DescriptorLimit.Of(limits, descriptors);
        (_limits, _limit) = (limits, inFlight);
        if (connections < limits.MaxConnections || inFlight < limits.MaxInFlight)
        {
            var level = connections < limits.MaxConnections / 2 || inFlight < limits.MaxInFlight / 2
                ? LogLevel.Warning
                : LogLevel.Information;
            logger.FewDescriptors(level, descriptors, connections, limits.MaxConnections, inFlight, limits.MaxInFlight);
        }
    }
}
