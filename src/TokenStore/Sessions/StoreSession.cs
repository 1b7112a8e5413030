namespace FenceGateway.TokenStore;

/// <summary>
/// A session of this gateway in a token store, as the gateway judges it: by its own monotonic clock, and always earlier than the
/// store does. What was admitted in it counts only while it lives.
/// </summary>
public sealed class StoreSession
{
    private const long Forever = long.MaxValue;
    private readonly CancellationTokenSource? _ended;
    private readonly TimeProvider _time;
    private long _validUntil;

    internal StoreSession(string id, TimeProvider time, long? validUntil)
    {
        Id = id;
        _time = time;
        _validUntil = validUntil ?? Forever;
        _ended = validUntil is null ? null : new CancellationTokenSource();
    }

    /// <summary>Its name in the store.</summary>
    public string Id { get; }

    /// <summary>Cancelled when it ends; cannot be cancelled when it lives as long as the process.</summary>
    public CancellationToken Ended => _ended?.Token ?? CancellationToken.None;

    /// <summary>Whether it lives as long as the process.</summary>
    public bool IsEndless => _ended is null;

    /// <summary>Whether it lives, now.</summary>
    public bool IsAlive
    {
        get
        {
            var until = Volatile.Read(ref _validUntil);
            return until == Forever || _time.GetTimestamp() < until;
        }
    }

    /// <summary>How much longer it lives without another heartbeat; null for as long as the process.</summary>
    public TimeSpan? Remaining
    {
        get
        {
            var until = Volatile.Read(ref _validUntil);
            var left = until == Forever ? (TimeSpan?)null : _time.GetElapsedTime(_time.GetTimestamp(), until);
            return left < TimeSpan.Zero ? TimeSpan.Zero : left;
        }
    }

    /// <summary>A heartbeat got through. False when it came too late: what has ended stays so.</summary>
    internal bool TryExtend(long validUntil)
    {
        while (true)
        {
            var until = Volatile.Read(ref _validUntil);
            if (until == Forever || _time.GetTimestamp() >= until)
            {
                return until == Forever;
            }

            if (Interlocked.CompareExchange(ref _validUntil, validUntil, until) == until)
            {
                return true;
            }
        }
    }

    /// <summary>Nothing is admitted in it any more; whoever has a write on its way in it is told.</summary>
    internal void End()
    {
        Volatile.Write(ref _validUntil, 0);
        _ended?.Cancel();
    }
}
