namespace FenceGateway.Gateway.RateLimiting;

/// <summary>So many permits in a window; a window begins with its first request.</summary>
internal sealed class FixedWindowLimiter(TimeProvider time, int permitLimit, TimeSpan window, int queueLimit)
    : TimedRateLimiter(time, queueLimit)
{
    private readonly long _window = LimitClock.Microseconds(window);
    private long _start = LimitClock.Now(time);
    private int _taken;

    protected override int AvailableLocked(long now)
    {
        if (_taken == 0 || now - _start >= _window)
        {
            (_start, _taken) = (now, 0);
        }

        return permitLimit - _taken;
    }

    protected override void TakeLocked() => _taken++;

    protected override long NextAtLocked(long now) => _taken == 0 ? now : _start + _window;

    protected override long FullAtLocked() => _taken == 0 ? _start : _start + _window;
}
