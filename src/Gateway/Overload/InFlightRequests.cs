using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Overload;

/// <summary>Counts the requests in progress on the data listener and says when there are too many.</summary>
internal sealed class InFlightRequests
{
    private volatile LimitsOptions _limits = new();
    private int _count;

    public InFlightRequests(LastGoodConfiguration configuration) =>
        configuration.Follow(current => _limits = current.Options.Limits);

    /// <summary>Those in progress; for a moment also those that are being turned away.</summary>
    public int Count => Volatile.Read(ref _count);

    public int Limit => _limits.MaxInFlight;

    public TimeSpan RetryAfter => _limits.RetryAfter;

    /// <summary>Takes a request in, unless the limit is reached. Whoever got true calls <see cref="Leave"/> once.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _count) <= _limits.MaxInFlight)
        {
            return true;
        }

        Interlocked.Decrement(ref _count);
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _count);
}
