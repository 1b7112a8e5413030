namespace FenceGateway.TestKit;

/// <summary>
/// Numbers events in the order in which they happen, for everything in this process that takes part in one history:
/// services and clients share one, so that their events can be compared.
/// </summary>
public sealed class EventClock
{
    private long _last;

    /// <summary>The next number, from 1, greater than all before.</summary>
    public long Next() => Interlocked.Increment(ref _last);
}
