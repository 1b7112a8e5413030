namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// When a server has to be asked again what it promises: its settings can be changed while it runs, and when a
/// connection is back another server can have taken its place.
/// </summary>
internal sealed class InspectionClock(TimeProvider clock)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private (RedisLink Link, int Returns, long At)? _last;

    public bool IsDue(RedisLink link)
    {
        lock (_lock)
        {
            return _last is not { } last || last.Link != link || last.Returns != link.Returns
                || clock.GetElapsedTime(last.At) >= Interval;
        }
    }

    /// <summary>It is being asked now: what happens from here on makes it due again.</summary>
    public void Begin(RedisLink link)
    {
        lock (_lock)
        {
            _last = (link, link.Returns, clock.GetTimestamp());
        }
    }
}
