using FenceGateway.TokenStore;
namespace FenceGateway.Replication;

/// <summary>
/// Goes through all marks of a region, newest first, a page at a time over many rounds: once at the start, again when a
/// round could not take all that was new, and now and then for whatever was missed all the same (a commit later than
/// the overlap, above all). A mark that changes meanwhile moves ahead of it, where the rounds read it.
/// </summary>
internal sealed class MarkSweep(TimeProvider time, TimeSpan interval, TimeSpan overlap)
{
    private long _endedAt;
    private TimeSpan _pause;

    /// <summary>Where it goes on: only marks with a lower number.</summary>
    public long Before { get; private set; } = long.MaxValue;

    /// <summary>Whether marks are known to be missing until it has come to its end.</summary>
    public bool IsOwed { get; private set; } = true;

    /// <summary>Whether there is something to read now.</summary>
    public bool IsDue => IsOwed || !IsAtItsBegin || time.GetElapsedTime(_endedAt) >= _pause;

    /// <summary>Nothing was read of it yet.</summary>
    public bool IsAtItsBegin => Before == long.MaxValue;

    /// <summary>Begins anew, now, and as fast as it was due.</summary>
    public void Restart() => (Before, _pause) = (long.MaxValue, TimeSpan.Zero);

    /// <summary>Goes through everything below <paramref name="before"/> once more, now.</summary>
    public void BeginFrom(long before)
    {
        Before = IsOwed ? Math.Max(Before, before) : before;
        IsOwed = true;
    }

    /// <summary>A page was merged; true when it was the last.</summary>
    public bool Took(IReadOnlyList<MarkRecord> page)
    {
        if (page.Count > 0)
        {
            Before = Next(Before, page);
            return false;
        }

        // One that had to be made found the store in the middle of things: what was numbered before it and committed
        // after it passed is found by one more, soon.
        _pause = IsOwed ? overlap : interval;
        (Before, IsOwed, _endedAt) = (long.MaxValue, false, time.GetTimestamp());
        return true;
    }

    /// <summary>
    /// Where the next page begins: at the last number once more, in case several marks have it, unless that leads
    /// nowhere.
    /// </summary>
    public static long Next(long before, IReadOnlyList<MarkRecord> page)
    {
        var last = page[^1].Sequence;
        return page[0].Sequence != last && last + 1 < before ? last + 1 : last;
    }
}
