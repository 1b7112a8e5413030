namespace FenceGateway.TokenStore.Memory;

/// <summary>A session in <see cref="MemoryMarks"/>, used under its lock.</summary>
internal sealed class MemorySession
{
    private readonly TimeProvider _clock;
    private readonly TimeSpan _timeToLive;
    private long _end;

    public MemorySession(TimeProvider clock, TimeSpan timeToLive)
    {
        _clock = clock;
        _timeToLive = timeToLive;
        Prolong();
    }

    /// <summary>Where it is registered below the mark.</summary>
    public HashSet<ResourceKey> Below { get; } = [];

    /// <summary>When it ended, if that is not later than <paramref name="now"/>.</summary>
    public long? EndedBy(long now) => _end <= now ? _end : null;

    public void Prolong() => _end = _timeToLive == Timeout.InfiniteTimeSpan ? long.MaxValue : _clock.After(_timeToLive);

    public void End() => _end = _clock.GetTimestamp();
}
