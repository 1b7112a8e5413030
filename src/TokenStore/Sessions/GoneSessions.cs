using System.Collections.Concurrent;

namespace FenceGateway.TokenStore;

/// <summary>
/// Since when sessions are gone, by this process's own monotonic clock: of stores that have no clock which could be
/// asked. What is gone never comes back, so this may be remembered; that a session lives may not. Bounded: what is
/// forgotten is seen anew, and its hold begins again, which delays and never admits too early.
/// </summary>
internal sealed class GoneSessions(TimeProvider time)
{
    public const int Capacity = 32_768;

    /// <summary>Longer ago than any hold.</summary>
    private const long Quietly = long.MinValue;

    private readonly ConcurrentDictionary<string, long> _since = new(StringComparer.Ordinal);

    /// <summary>
    /// Since when a session is known to be gone, in monotonic ticks; null while it may live, longer ago than any hold
    /// when it left nothing that could still be applied.
    /// </summary>
    public long? Since(string session) => _since.TryGetValue(session, out var since) ? since : null;

    /// <summary>
    /// How long a session is known to be gone; null while it may live, <see cref="TimeSpan.MaxValue"/> when it left
    /// nothing that could still be applied.
    /// </summary>
    public TimeSpan? GoneFor(string session) => Since(session) switch
    {
        null => null,
        Quietly => TimeSpan.MaxValue,
        { } since => time.GetElapsedTime(since),
    };

    /// <summary>Notes that a session is gone. Since when it is known to be.</summary>
    /// <param name="session">Its name.</param>
    /// <param name="isClean">With nothing in flight and nothing in doubt.</param>
    public long Add(string session, bool isClean = false)
    {
        if (_since.Count >= Capacity)
        {
            Trim();
        }

        return isClean
            ? _since[session] = Quietly
            : _since.GetOrAdd(session, static (_, time) => time.GetTimestamp(), time);
    }

    /// <summary>The older half goes: their holds are over, mostly.</summary>
    private void Trim()
    {
        foreach (var (session, _) in _since.OrderBy(s => s.Value).Take(Capacity / 2).ToList())
        {
            _ = _since.TryRemove(session, out _);
        }
    }
}
