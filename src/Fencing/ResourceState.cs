namespace FenceGateway.Fencing;

/// <summary>
/// The state machine of one resource as a token store keeps it: mark, writers, in doubt. Pure: no clock, no I/O; time is an
/// argument in monotonic ticks. The memory store runs it as it is, every other store is tested against it.
/// </summary>
/// <remarks>Not safe for use by several threads at once. Rules R1–R6, R11 of docs/protocol.md.</remarks>
public sealed class ResourceState
{
    private readonly Dictionary<string, long> _writers = new(StringComparer.Ordinal);
    private readonly List<InDoubtWrite> _inDoubt = [];

    /// <summary>The highest token promised; 0 when none was.</summary>
    public long Mark { get; private set; }

    /// <summary>Session → the lowest token that this session may still have in flight.</summary>
    public IReadOnlyDictionary<string, long> Writers => _writers;

    /// <summary>What ended sessions left behind.</summary>
    public IReadOnlyList<InDoubtWrite> InDoubt => _inDoubt;

    /// <summary>
    /// Raises the mark to <paramref name="token"/> unless that is stale, and registers the session there if no older write
    /// is left. Otherwise the session's registration is where its oldest write is.
    /// </summary>
    /// <param name="session">Who asks.</param>
    /// <param name="token">The token presented.</param>
    /// <param name="oldest">The lowest token that the session still has in flight here, else <paramref name="token"/>.</param>
    /// <param name="now">Monotonic ticks; in-doubt writes that are due by then no longer count.</param>
    public EnterStatus Enter(string session, long token, long oldest, long now)
    {
        _inDoubt.RemoveAll(w => w.Until <= now);
        var status = FenceRule.Enter(Mark, token, Math.Min(oldest, LowestOfOthers(session)));
        if (status != EnterStatus.Stale)
        {
            Mark = token;
        }

        switch (status)
        {
            case EnterStatus.Admitted:
                _writers[session] = token;
                break;
            case EnterStatus.Draining when oldest < token && _writers.ContainsKey(session):
                _writers[session] = oldest;
                break;
            case EnterStatus.Draining:
                // Nothing of this session is in flight: an old registration must not hold others back.
                _writers.Remove(session);
                break;
        }

        return status;
    }

    /// <summary>Takes the session's registration back: it has nothing in flight any more.</summary>
    public void Withdraw(string session) => _writers.Remove(session);

    /// <summary>Ends a session: what it may have had in flight is in doubt until <paramref name="until"/>.</summary>
    public void Expire(string session, long until)
    {
        if (_writers.Remove(session, out var token))
        {
            _inDoubt.Add(new InDoubtWrite(token, until));
        }
    }

    /// <summary>An operator's word that nothing in doubt can be applied any more.</summary>
    public void Resolve() => _inDoubt.Clear();

    /// <summary>
    /// An operator's mark, higher or lower. Refused (false) while anything is in flight or in doubt.
    /// </summary>
    public bool TrySetMark(long mark, long now)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(mark);
        _inDoubt.RemoveAll(w => w.Until <= now);
        if (_writers.Count > 0 || _inDoubt.Count > 0)
        {
            return false;
        }

        Mark = mark;
        return true;
    }

    private long LowestOfOthers(string session)
    {
        var lowest = FenceRule.None;
        foreach (var (writer, token) in _writers)
        {
            if (writer != session)
            {
                lowest = Math.Min(lowest, token);
            }
        }

        foreach (var write in _inDoubt)
        {
            lowest = Math.Min(lowest, write.Token);
        }

        return lowest;
    }
}
