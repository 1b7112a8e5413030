namespace FenceGateway.Gateway.Overload;

/// <summary>
/// Counts requests that are turned away, and tells the log when that begins and when it is over: once each, however
/// many there are.
/// </summary>
internal sealed class Shedding : IDisposable
{
    /// <summary>
    /// It is over when nobody was turned away for so long; so there are no two lines of a kind within less.
    /// </summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    private readonly InFlightRequests _inFlight;
    private readonly OverloadMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger<Shedding> _logger;
    private readonly ITimer _timer;

    /// <summary>Turned away since it began; 0 when nobody is.</summary>
    private long _count;

    /// <summary>What <see cref="_count"/> was when the timer last looked.</summary>
    private long _seen;

    private long _began;

    public Shedding(InFlightRequests inFlight, OverloadMetrics metrics, TimeProvider time, ILogger<Shedding> logger)
    {
        (_inFlight, _metrics, _time, _logger) = (inFlight, metrics, time, logger);
        _timer = time.CreateTimer(
            static state => ((Shedding)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A request is turned away.</summary>
    public void Count()
    {
        _metrics.Shed();
        if (Interlocked.Increment(ref _count) == 1)
        {
            Volatile.Write(ref _began, _time.GetTimestamp());
            _logger.Began(_inFlight.Limit);
            Rearm();
        }
    }

    /// <summary>
    /// The timer is set by whoever begins, and by itself until it finds quiet: never twice at a time.
    /// </summary>
    private void Look()
    {
        var count = Interlocked.Read(ref _count);
        if (count == _seen)
        {
            // Before the count can begin anew: from then on the timer belongs to who begins.
            _seen = 0;
            var lasted = _time.GetElapsedTime(Volatile.Read(ref _began)) - Quiet;
            if (Interlocked.CompareExchange(ref _count, 0, count) == count)
            {
                _logger.Ended(count, lasted);
                return;
            }
        }

        _seen = count;
        Rearm();
    }

    private void Rearm() => _timer.Change(Quiet, Timeout.InfiniteTimeSpan);

    public void Dispose() => _timer.Dispose();
}
