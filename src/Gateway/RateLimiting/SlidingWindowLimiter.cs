namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// So many permits in the last segments of time; a permit comes back when the segment in which it was taken leaves the
/// window.
/// </summary>
internal sealed class SlidingWindowLimiter : TimedRateLimiter
{
    private readonly int[] _taken;
    private readonly long _segment;

    /// <summary>The segment that the clock is in, counted from the clock's zero.</summary>
    private long _current;
    private int _available;

    public SlidingWindowLimiter(TimeProvider time, int permitLimit, TimeSpan window, int segments, int queueLimit)
        : base(time, queueLimit)
    {
        _taken = new int[segments];
        _segment = (LimitClock.Microseconds(window) + segments - 1) / segments;
        _current = LimitClock.Now(time) / _segment;
        _available = permitLimit;
    }

    protected override int AvailableLocked(long now)
    {
        var target = now / _segment;
        for (var steps = Math.Min(target - _current, _taken.Length); steps > 0; steps--)
        {
            ref var leaving = ref _taken[(target - steps + 1) % _taken.Length];
            _available += leaving;
            leaving = 0;
        }

        _current = Math.Max(_current, target);
        return _available;
    }

    protected override void TakeLocked()
    {
        _taken[_current % _taken.Length]++;
        _available--;
    }

    protected override long NextAtLocked(long now)
    {
        for (var segment = _current - _taken.Length + 1; segment <= _current; segment++)
        {
            if (segment >= 0 && _taken[segment % _taken.Length] > 0)
            {
                return Leaves(segment);
            }
        }

        return now;
    }

    protected override long FullAtLocked()
    {
        for (var segment = _current; segment >= 0 && segment > _current - _taken.Length; segment--)
        {
            if (_taken[segment % _taken.Length] > 0)
            {
                return Leaves(segment);
            }
        }

        return _current * _segment;
    }

    private long Leaves(long segment) => (segment + _taken.Length) * _segment;
}
