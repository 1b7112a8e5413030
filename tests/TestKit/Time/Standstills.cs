namespace FenceGateway.TestKit;

/// <summary>
/// What a canary's beats tell: when they were late, and by how much. Safe for use by several threads.
/// </summary>
internal sealed class Standstills(TimeProvider time, TimeSpan beat)
{
    /// <summary>Whatever runs on a machine that others use as well is late by this much now and then.</summary>
    public static readonly TimeSpan Usual = TimeSpan.FromMilliseconds(20);

    /// <summary>The oldest ones are forgotten: no round lasts that long.</summary>
    private const int Most = 10_000;

    private readonly Lock _lock = new();
    private readonly Queue<(long Ended, TimeSpan Length)> _late = [];
    private long _last = time.GetTimestamp();

    /// <summary>A beat that is due one beat after the one before.</summary>
    public void Beat()
    {
        lock (_lock)
        {
            if (LastingLocked() is var late && late > Usual)
            {
                AddLocked(late);
            }

            _last = time.GetTimestamp();
        }
    }

    /// <summary>One that has just ended.</summary>
    public void Add(TimeSpan late)
    {
        lock (_lock)
        {
            AddLocked(late);
        }
    }

    /// <summary>The longest one that ended after <paramref name="moment"/>, or lasts.</summary>
    public TimeSpan LongestSince(long moment)
    {
        lock (_lock)
        {
            var over = _late.Where(late => late.Ended >= moment).Select(late => late.Length);
            return over.Append(LastingLocked()).Where(late => late > Usual).DefaultIfEmpty().Max();
        }
    }

    private void AddLocked(TimeSpan late)
    {
        _late.Enqueue((time.GetTimestamp(), late));
        if (_late.Count > Most)
        {
            _ = _late.Dequeue();
        }
    }

    private TimeSpan LastingLocked() => time.GetElapsedTime(_last) - beat;
}
