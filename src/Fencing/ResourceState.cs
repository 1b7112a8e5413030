namespace FenceGateway.Fencing;

/// <summary>
/// The state machine of one resource as a token store keeps it: the mark, and who may have writes in flight. Pure: no
/// clock, no I/O; time is an argument in monotonic ticks. The memory store runs it as it is, every other store is
/// tested against it, and the model of the protocol takes its steps (docs/protocol.md, "The model").
/// </summary>
/// <remarks>Not safe for use by several threads at once. Rules R1–R6, R11 of docs/protocol.md.</remarks>
public sealed class ResourceState
{
    // Rarely more than one or two: a list beats a dictionary.
    private readonly List<RegisteredWriter> _writers = [];

    /// <summary>The highest token promised; 0 when none was.</summary>
    public long Mark { get; private set; }

    /// <summary>
    /// The sessions that are registered, each once, those that have ended included until they are due.
    /// </summary>
    public IReadOnlyList<RegisteredWriter> Writers => _writers;

    /// <summary>Takes over a state that was put down elsewhere.</summary>
    /// <exception cref="ArgumentException">The mark is negative, or a session is registered twice.</exception>
    public static ResourceState Restore(long mark, params IEnumerable<RegisteredWriter> writers)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(mark);
        var state = new ResourceState { Mark = mark };
        foreach (var writer in writers)
        {
            if (state.Find(writer.Session) >= 0)
            {
                throw new ArgumentException($"Session {writer.Session} is registered twice.", nameof(writers));
            }

            state._writers.Add(writer);
        }

        return state;
    }

    /// <summary>
    /// Raises the mark to <paramref name="token"/> unless that is stale, and registers the session there if no older
    /// write is left anywhere. Otherwise it is registered where its own oldest write is, stays registered if it is at
    /// the token already, and is not registered when it has nothing older.
    /// </summary>
    /// <param name="session">Who asks; it lives.</param>
    /// <param name="token">The token presented.</param>
    /// <param name="oldest">The lowest token that the session's gateway may still have in flight here, else
    /// <paramref name="token"/>.</param>
    /// <param name="sequence">Grows with every step of the session; one that was overtaken by a later one changes
    /// nothing.</param>
    /// <param name="hold">For how many ticks after its end a session's registration counts.</param>
    /// <param name="now">Monotonic ticks.</param>
    public EnterStep Enter(string session, long token, long oldest, long sequence, long hold, long now)
    {
        if (token < Mark)
        {
            return new EnterStep(EnterStatus.Stale);
        }

        var own = Find(session);
        if (own >= 0 && _writers[own].Sequence > sequence)
        {
            // Carried out late. Nobody waits for this answer; it must promise nothing.
            return new EnterStep(EnterStatus.Draining, HeldElsewhere: true);
        }

        var raised = token > Mark;
        var registered = own < 0 ? (long?)null : _writers[own].Token;
        var notify = registered < Mark && oldest > registered;
        notify |= RemoveDue(session, hold, now, below: token);
        Mark = token;
        var (heldFor, heldElsewhere) = Held(session, token, hold, now);
        if (oldest < token || heldFor > 0 || heldElsewhere)
        {
            // With nothing older in flight, the session may still have writes with this very token: then it is
            // registered there.
            Register(session, oldest < token ? oldest : registered == token ? token : null, sequence);
            return new EnterStep(EnterStatus.Draining, heldFor, heldElsewhere, notify || (raised && heldElsewhere));
        }

        Register(session, token, sequence);
        return new EnterStep(EnterStatus.Admitted, Notify: notify);
    }

    /// <summary>
    /// Takes the session's registration back, unless a step later than <paramref name="sequence"/> has made it. Whether
    /// others have to be told, because it may have held them back.
    /// </summary>
    public bool Withdraw(string session, long sequence)
    {
        var own = Find(session);
        if (own < 0 || _writers[own].Sequence > sequence)
        {
            return false;
        }

        var notify = _writers[own].Token < Mark;
        _writers.RemoveAt(own);
        return notify;
    }

    /// <summary>The session has ended, for good: its registration counts for the asker's hold from then on.</summary>
    public void End(string session, long at)
    {
        var own = Find(session);
        if (own >= 0)
        {
            _writers[own] = _writers[own] with { EndedAt = _writers[own].EndedAt ?? at };
        }
    }

    /// <summary>
    /// An operator's word that nothing that ended sessions left can be applied any more. How many registrations that
    /// were.
    /// </summary>
    public int Resolve() => _writers.RemoveAll(w => w.EndedAt is not null);

    /// <summary>
    /// An operator's mark, higher or lower. Refused (false) while a session other than the one that asks is registered,
    /// unless it ended longer than <paramref name="hold"/> ago. The registrations of all others go, and so does that of
    /// the session that asks.
    /// </summary>
    public bool TrySetMark(string session, long mark, long hold, long now)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(mark);
        if (_writers.Exists(w => w.Session != session && !(w.EndedAt + hold <= now)))
        {
            return false;
        }

        _writers.Clear();
        Mark = mark;
        return true;
    }

    /// <summary>
    /// Removes what ended sessions left and nobody has to wait for any more; whether any of it was below a token.
    /// </summary>
    private bool RemoveDue(string session, long hold, long now, long below)
    {
        var due = _writers.FindAll(w => w.EndedAt + hold <= now && w.Session != session);
        _writers.RemoveAll(due.Contains);
        return due.Exists(w => w.Token < below);
    }

    private (long HeldFor, bool HeldElsewhere) Held(string session, long token, long hold, long now)
    {
        var (heldFor, heldElsewhere) = (0L, false);
        foreach (var writer in _writers)
        {
            if (writer.Token >= token || writer.Session == session)
            {
                continue;
            }

            heldElsewhere |= writer.EndedAt is null;
            heldFor = Math.Max(heldFor, writer.EndedAt + hold - now ?? 0);
        }

        return (heldFor, heldElsewhere);
    }

    private void Register(string session, long? token, long sequence)
    {
        _writers.RemoveAll(w => w.Session == session);
        if (token is { } lowest)
        {
            _writers.Add(new RegisteredWriter(session, lowest, sequence, EndedAt: null));
        }
    }

    private int Find(string session) => _writers.FindIndex(w => w.Session == session);
}
