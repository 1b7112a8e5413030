using FenceGateway.Fencing;

namespace FenceGateway.TokenStore;

/// <summary>
/// One gateway's view of one resource: what it has in flight, what it has promised never to admit again, and what it knows of
/// the store. Handed out by <see cref="FenceTable.Get"/>. Members ending in <c>Locked</c> need <see cref="Gate"/>.
/// </summary>
public sealed class ResourceFence
{
    private long _mark;
    private long _sealed;
    private long _sealedBefore;
    private long _entered;
    private long _holdUntil;
    private TaskCompletionSource? _changed;

    internal ResourceFence(ResourceKey resource, long mark)
    {
        Resource = resource;
        _mark = mark;
        _sealed = mark;
    }

    /// <summary>The resource.</summary>
    public ResourceKey Resource { get; }

    /// <summary>The highest mark known to be durable; 0 when none is. Grows, unless an operator lowers it.</summary>
    public long Mark => Volatile.Read(ref _mark);

    internal Lock Gate { get; } = new();

    internal ActiveWrites Active { get; } = new();

    /// <summary>No longer in the table: whoever still holds it has to look it up again.</summary>
    internal bool Retired { get; private set; }

    /// <summary>Looked up since the table's hand last came by.</summary>
    internal bool Touched { get; set; } = true;

    /// <summary>One store operation at a time per resource and gateway.</summary>
    internal bool StoreBusy { get; private set; }

    /// <summary>How often the store could not tell, and why it could not the last time.</summary>
    internal (int Count, string? Fault) Failures { get; private set; }

    /// <summary>Steady state: this gateway has entered with this very token, so nothing older can be anywhere.</summary>
    internal bool HasEnteredLocked(long token) => !Retired && _entered == token;

    /// <summary>What a request with <paramref name="token"/> has to do next, and for which token.</summary>
    internal FenceStep NextLocked(long token, AdmissionRules rules, long now)
    {
        Active.Sweep(now);
        if (Retired)
        {
            return new FenceStep(FenceStepKind.LookUpAgain);
        }

        if (token < _mark)
        {
            return new FenceStep(FenceStepKind.RefuseStale);
        }

        if (StoreBusy)
        {
            return new FenceStep(FenceStepKind.AwaitStore);
        }

        if (token < _sealed)
        {
            // A higher token was sent to the store and the reply was lost: never go back, ask for that one again.
            return new FenceStep(FenceStepKind.Enter, _sealed);
        }

        if (rules.AdvanceOnSuccess || _entered == token || (_mark == token && !rules.Drain))
        {
            return new FenceStep(FenceStepKind.Admit);
        }

        return _mark == token ? DrainStepLocked(token, now) : new FenceStep(FenceStepKind.Enter, token);
    }

    /// <summary>Seals every older token at this gateway, before the store is asked. Returns the oldest active token.</summary>
    internal long BeginEnterLocked(long token)
    {
        StoreBusy = true;
        _sealedBefore = _sealed;
        _sealed = token;
        _entered = 0;
        return Math.Min(token, Active.Lowest);
    }

    internal void EndEnterLocked(long token, EnterReply reply, long holdUntil)
    {
        StoreBusy = false;
        var mark = Math.Max(_mark, reply.Mark.Value);
        Volatile.Write(ref _mark, mark);
        _sealed = Math.Max(_sealed, mark);
        _holdUntil = holdUntil;
        _entered = reply.Status == EnterStatus.Admitted && _sealed == token ? token : 0;
    }

    /// <summary>The store could not tell. The seal stays, unless the store has certainly not heard of it.</summary>
    internal void FailLocked(string fault, bool notTaken = false)
    {
        StoreBusy = false;
        _sealed = notTaken ? _sealedBefore : _sealed;
        Failures = (Failures.Count + 1, fault);
    }

    /// <summary>Whether an operator may change the mark now; if so, the store is busy with it.</summary>
    internal bool TryBeginOperationLocked(long now)
    {
        Active.Sweep(now);
        if (Retired || StoreBusy || !Active.IsEmpty || _holdUntil > now)
        {
            return false;
        }

        StoreBusy = true;
        _entered = 0;
        return true;
    }

    internal void EndSetMarkLocked(long mark)
    {
        StoreBusy = false;
        Volatile.Write(ref _mark, mark);
        _sealed = mark;
        _entered = 0;
    }

    /// <summary>Ends every hold; how many writes in doubt at this gateway that were.</summary>
    internal int ResolveLocked()
    {
        var resolved = Active.InDoubt.Count;
        Active.Resolve();
        _holdUntil = 0;
        return resolved;
    }

    /// <summary>Takes the fence out of use if nothing depends on it. A seal that the store may not know is never forgotten.</summary>
    internal bool TryRetireLocked(long now)
    {
        Active.Sweep(now);
        if (StoreBusy || !Active.IsEmpty || _sealed > _mark || _holdUntil > now)
        {
            return false;
        }

        Retired = true;
        return true;
    }

    /// <summary>Takes the fence out of use whatever depends on it: nothing is admitted at it any more.</summary>
    internal void RetireLocked() => Retired = true;

    /// <summary>Takes over a mark that the store's memory knows.</summary>
    internal void LearnMarkLocked(long mark)
    {
        Volatile.Write(ref _mark, Math.Max(_mark, mark));
        _sealed = Math.Max(_sealed, mark);
    }

    /// <summary>Completes at the next change that somebody who waits has to look at.</summary>
    internal Task ChangedLocked() =>
        (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Takes the signal; its completion belongs outside the lock.</summary>
    internal TaskCompletionSource? TakeSignalLocked()
    {
        var signal = _changed;
        _changed = null;
        return signal;
    }

    private FenceStep DrainStepLocked(long token, long now)
    {
        if (Active.HasInFlightBelow(token))
        {
            return new FenceStep(FenceStepKind.AwaitDrain);
        }

        var until = Math.Max(_holdUntil, Active.InDoubtBelowUntil(token) ?? 0);
        return until > now
            ? new FenceStep(FenceStepKind.AwaitDrain, Until: until)
            : new FenceStep(FenceStepKind.Enter, token);
    }
}

/// <summary>What to do next for a request that wants to be admitted.</summary>
internal enum FenceStepKind
{
    Admit,
    RefuseStale,
    Enter,
    AwaitStore,
    AwaitDrain,
    LookUpAgain,
    RefuseDraining,
    RefuseUnavailable,
}

/// <param name="Kind">What to do.</param>
/// <param name="Token">The token to enter with.</param>
/// <param name="Until">When waiting ends by itself, in monotonic ticks; 0 when only an event ends it.</param>
internal readonly record struct FenceStep(FenceStepKind Kind, long Token = 0, long Until = 0);
