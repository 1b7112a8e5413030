namespace FenceGateway.TokenStore;

/// <summary>
/// A session of this gateway in a token store, as the gateway judges it: by its own monotonic clock, and always earlier
/// than the store does. What was admitted in it counts only while it lives.
/// </summary>
public sealed class GatewaySession
{
    private const long Forever = long.MaxValue;
    private readonly CancellationTokenSource? _ended;
    private readonly TimeProvider _time;
    private readonly TimeSpan _life;
    private long _validUntil = Forever;
    private long _validUntilUtc = Forever;

    /// <param name="id">Its name in the store.</param>
    /// <param name="number">Which of this gateway's sessions it is, from 1.</param>
    /// <param name="time">Its clocks judge the session.</param>
    /// <param name="sent">When the store was asked for it.</param>
    /// <param name="life">How long it lives after the last heartbeat that got through; infinite for as long as the
    /// process.</param>
    internal GatewaySession(string id, long number, TimeProvider time, SessionMoment sent, TimeSpan life)
    {
        (Id, Number, _time, _life) = (id, number, time, life);
        _ended = life == Timeout.InfiniteTimeSpan ? null : new CancellationTokenSource();
        if (!IsEndless)
        {
            (_validUntil, _validUntilUtc) = (sent.Ticks + time.ToTicks(life), sent.UtcTicks + life.Ticks);
        }
    }

    /// <summary>Its name in the store.</summary>
    public string Id { get; }

    /// <summary>Which of this gateway's sessions it is, from 1.</summary>
    internal long Number { get; }

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

    /// <summary>
    /// Whether it lives by the clock of the day too, at which a write is looked at last: the monotonic clock stands
    /// still while the machine is suspended, and the store's does not. A step forward refuses until the next heartbeat;
    /// a step back changes nothing.
    /// </summary>
    public bool IsAliveByEveryClock =>
        IsAlive
            && Volatile.Read(ref _validUntilUtc) is var until
            && (until == Forever || _time.GetUtcNow().UtcTicks < until);

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

    /// <summary>
    /// A heartbeat that was sent at <paramref name="sent"/> got through. False when it came too late: what has ended
    /// stays so.
    /// </summary>
    internal bool TryExtend(SessionMoment sent)
    {
        while (true)
        {
            var until = Volatile.Read(ref _validUntil);
            if (until == Forever || _time.GetTimestamp() >= until)
            {
                return until == Forever;
            }

            if (Interlocked.CompareExchange(ref _validUntil, sent.Ticks + _time.ToTicks(_life), until) == until)
            {
                Volatile.Write(ref _validUntilUtc, sent.UtcTicks + _life.Ticks);
                return true;
            }
        }
    }

    /// <summary>Nothing is admitted in it any more; whoever has a write in flight in it is told.</summary>
    internal void End()
    {
        Volatile.Write(ref _validUntil, 0);
        _ended?.Cancel();
    }
}

/// <summary>A moment by both clocks of a process.</summary>
/// <param name="Ticks">Of the monotonic one, in its own ticks.</param>
/// <param name="UtcTicks">Of that of the day, in 100 ns.</param>
internal readonly record struct SessionMoment(long Ticks, long UtcTicks)
{
    public static SessionMoment Now(TimeProvider time) => new(time.GetTimestamp(), time.GetUtcNow().UtcTicks);
}
