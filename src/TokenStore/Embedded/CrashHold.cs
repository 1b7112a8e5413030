namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// After an unclean stop the process that died may have left writes in flight, with any token up to the mark that is
/// recovered. They are in doubt, and hold newer tokens back until the hold has passed since this process took the
/// folder over.
/// </summary>
/// <remarks>
/// How long a hold is comes with each request, so the store keeps how much of it was served. A clean stop within the
/// hold writes that number down: the next process serves the rest. The time between the two does not count, as no clock
/// spans it.
/// </remarks>
internal sealed class CrashHold(TimeProvider clock)
{
    /// <summary>Nobody has left anything.</summary>
    public const long NothingHeld = -1;

    private long _start;
    private TimeSpan _served;
    private volatile bool _active;

    /// <summary>The process before is gone from now on.</summary>
    public void Start() => _start = clock.GetTimestamp();

    /// <summary>
    /// Goes on as <see cref="ToMilliseconds"/> of the process before has said; from 0 when it could not.
    /// </summary>
    public void Resume(long servedMilliseconds)
    {
        _served = TimeSpan.FromMilliseconds(Math.Max(0, servedMilliseconds));
        _active = servedMilliseconds != NothingHeld;
    }

    /// <summary>How much has been served; null when there is nothing to serve.</summary>
    public TimeSpan? Served => _active ? _served + clock.GetElapsedTime(_start) : null;

    /// <summary>How much has been served, or that there is nothing to serve.</summary>
    public long ToMilliseconds() => Served is { } served ? (long)served.TotalMilliseconds : NothingHeld;

    /// <summary>Whether a process before may have left writes to the resource in flight, the time aside.</summary>
    public bool Holds(in MarkEntry entry) => _active && entry.Flags.HasFlag(MarkFlags.Recovered);

    /// <summary>The process before, if it may have left writes in flight.</summary>
    public IReadOnlyList<WriterRecord> Writers(in MarkEntry entry) =>
        Holds(in entry) ? [new WriterRecord("previous", new FencingToken(Math.Max(1, entry.Mark)), Served)] : [];

    /// <summary>How much longer writes from before this process may be in flight; zero when there are none.</summary>
    /// <param name="entry">The resource.</param>
    /// <param name="hold">How long such writes count.</param>
    public TimeSpan Left(in MarkEntry entry, TimeSpan hold)
    {
        var left = Holds(in entry) ? hold - _served - clock.GetElapsedTime(_start) : default;
        return left > TimeSpan.Zero ? left : default;
    }

    /// <summary>The lowest token that may still be in flight from before this process.</summary>
    /// <param name="entry">The resource.</param>
    /// <param name="hold">How long such writes count.</param>
    /// <param name="left">How much longer they do.</param>
    public long LowestToken(in MarkEntry entry, TimeSpan hold, out TimeSpan left)
    {
        left = Left(in entry, hold);

        // Nobody was admitted below an uncontended mark: its holder goes on. Below a contended one somebody may have
        // been.
        return left == default ? FenceRule.None : entry.Flags.HasFlag(MarkFlags.Contended) ? 0 : entry.Mark;
    }
}
