namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// A bucket of permits that refills evenly, the whole of it in a window. Counted in shares of a permit, a microsecond's
/// refill each, so that nothing is lost or won by rounding however often it is looked at.
/// </summary>
internal sealed class TokenBucketLimiter : TimedRateLimiter
{
    private readonly int _permitLimit;

    /// <summary>The shares that a permit costs: a microsecond brings one for each permit of the limit.</summary>
    private readonly long _window;

    /// <summary>At most 10^8 permits × 8.64×10^10 µs: fits into 63 bits.</summary>
    private readonly long _capacity;
    private long _shares;
    private long _at;

    public TokenBucketLimiter(TimeProvider time, int permitLimit, TimeSpan window, int queueLimit)
        : base(time, queueLimit)
    {
        _permitLimit = permitLimit;
        _window = LimitClock.Microseconds(window);
        _capacity = checked(permitLimit * _window);
        _shares = _capacity;
        _at = LimitClock.Now(time);
    }

    protected override int AvailableLocked(long now)
    {
        var elapsed = Math.Max(0, now - _at);
        var missing = _capacity - _shares;
        _shares = elapsed >= _window || elapsed * _permitLimit >= missing
            ? _capacity
            : _shares + (elapsed * _permitLimit);
        _at += elapsed;
        return (int)(_shares / _window);
    }

    protected override void TakeLocked() => _shares -= _window;

    protected override long NextAtLocked(long now) =>
        _at + Refill(Math.Min(_window - (_shares % _window), _capacity - _shares));

    protected override long FullAtLocked() => _at + Refill(_capacity - _shares);

    /// <summary>How many microseconds bring so many shares, rounded up.</summary>
    private long Refill(long shares) => (shares / _permitLimit) + (shares % _permitLimit == 0 ? 0 : 1);
}
