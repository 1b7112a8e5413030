namespace FenceGateway.Fencing;

/// <summary>
/// The writes of one resource that one gateway has in flight or in doubt, counted by token. Pure: time is an argument
/// in monotonic ticks. There is rarely more than one token, so a short list beats any tree.
/// </summary>
/// <remarks>Not safe for use by several threads at once.</remarks>
public sealed class ActiveWrites
{
    private readonly List<(long Token, int Count)> _inFlight = new(1);
    private List<InDoubtWrite>? _inDoubt;

    /// <summary>Whether nothing is in flight and nothing in doubt.</summary>
    public bool IsEmpty => _inFlight.Count == 0 && _inDoubt is null;

    /// <summary>Writes in flight, over all tokens.</summary>
    public int InFlight => _inFlight.Sum(static writes => writes.Count);

    /// <summary>Writes whose end is unknown.</summary>
    public IReadOnlyList<InDoubtWrite> InDoubt => _inDoubt ?? (IReadOnlyList<InDoubtWrite>)[];

    /// <summary>The lowest token in flight or in doubt, <see cref="FenceRule.None"/> when there is none.</summary>
    public long Lowest
    {
        get
        {
            var lowest = FenceRule.None;
            foreach (var (token, _) in _inFlight)
            {
                lowest = Math.Min(lowest, token);
            }

            foreach (var write in _inDoubt ?? [])
            {
                lowest = Math.Min(lowest, write.Token);
            }

            return lowest;
        }
    }

    /// <summary>Writes with a token below <paramref name="token"/> that are in flight (not in doubt).</summary>
    public bool HasInFlightBelow(long token)
    {
        foreach (var (older, _) in _inFlight)
        {
            if (older < token)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>When the last in-doubt write below <paramref name="token"/> is due; null when there is none.</summary>
    public long? InDoubtBelowUntil(long token)
    {
        long? until = null;
        foreach (var write in _inDoubt ?? [])
        {
            if (write.Token < token && !(until > write.Until))
            {
                until = write.Until;
            }
        }

        return until;
    }

    /// <summary>A write with <paramref name="token"/> is about to be forwarded.</summary>
    public void Begin(long token)
    {
        for (var i = 0; i < _inFlight.Count; i++)
        {
            if (_inFlight[i].Token == token)
            {
                _inFlight[i] = (token, _inFlight[i].Count + 1);
                return;
            }
        }

        _inFlight.Add((token, 1));
    }

    /// <summary>A write has ended. True when it was the last one in flight with this token.</summary>
    /// <exception cref="InvalidOperationException">No write with this token is in flight.</exception>
    public bool End(long token)
    {
        for (var i = 0; i < _inFlight.Count; i++)
        {
            if (_inFlight[i].Token != token)
            {
                continue;
            }

            if (_inFlight[i].Count > 1)
            {
                _inFlight[i] = (token, _inFlight[i].Count - 1);
                return false;
            }

            _inFlight.RemoveAt(i);
            return true;
        }

        throw new InvalidOperationException($"No write with token {token} is in flight.");
    }

    /// <summary>A write ended with its end unknown: it holds newer tokens back until <paramref name="until"/>.
    /// True when it was the last one in flight with this token.</summary>
    public bool EndInDoubt(long token, long until)
    {
        var last = End(token);
        Hold(token, until);
        return last;
    }

    /// <summary>
    /// Something that may still be applied with <paramref name="token"/>, from before this gateway's time.
    /// </summary>
    public void Hold(long token, long until)
    {
        _inDoubt ??= [];

        // One entry a token is enough, the latest: a storm of time-outs must not grow the list.
        var known = _inDoubt.FindIndex(w => w.Token == token);
        if (known < 0)
        {
            _inDoubt.Add(new InDoubtWrite(token, until));
        }
        else
        {
            _inDoubt[known] = new InDoubtWrite(token, Math.Max(until, _inDoubt[known].Until));
        }
    }

    /// <summary>Forgets in-doubt writes that are due. True when there were any.</summary>
    public bool Sweep(long now)
    {
        if (_inDoubt is null)
        {
            return false;
        }

        var removed = _inDoubt.RemoveAll(w => w.Until <= now) > 0;
        _inDoubt = _inDoubt.Count == 0 ? null : _inDoubt;
        return removed;
    }

    /// <summary>An operator's word that nothing in doubt can be applied any more.</summary>
    public void Resolve() => _inDoubt = null;
}
