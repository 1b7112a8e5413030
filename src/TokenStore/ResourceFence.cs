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
    private StoreSession? _sealedIn;
    private (long Token, StoreSession? In) _sealedBefore;
    private long _entered;
    private StoreSession? _session;
    private long _holdUntil;
    private long _askAt;
    private bool _told;
    private bool _alone;
    private (int Begun, int Answered) _enters;
    private FenceRegistration _registered;
    private FenceRegistration _registeredBefore;
    private bool _awaitsWithdraw;
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

    /// <summary>Whether a step is under way at the store, which everybody here waits for.</summary>
    public bool AwaitsStore
    {
        get
        {
            lock (Gate)
            {
                return StoreBusy;
            }
        }
    }

    internal Lock Gate { get; } = new();

    internal ActiveWrites Active { get; } = new();

    /// <summary>No longer in the table: whoever still holds it has to look it up again.</summary>
    internal bool Retired { get; private set; }

    /// <summary>Looked up since the table's hand last came by.</summary>
    internal bool Touched { get; set; } = true;

    /// <summary>Admitted something since idle registrations were last looked for.</summary>
    internal bool Used { get; set; }

    /// <summary>One store operation at a time per resource and gateway.</summary>
    internal bool StoreBusy { get; private set; }

    /// <summary>The registration is about to be taken back, as soon as nothing is in flight or in doubt; whoever has set this sees to it.</summary>
    internal bool Revoking { get; set; }

    /// <summary>How often the store could not tell, and why it could not the last time.</summary>
    internal (int Count, string? Fault) Failures { get; private set; }

    /// <summary>Enters begun, up to now.</summary>
    internal int EntersBegun => _enters.Begun;

    /// <summary>Steady state: this gateway has entered with this very token in a session that lives, so nothing older can be anywhere,
    /// and nothing newer before this gateway has withdrawn.</summary>
    internal bool HasEnteredLocked(long token) => !Retired && _entered == token && _session!.IsAlive;

    /// <summary>Whether this gateway may be registered in the store.</summary>
    internal bool IsRegisteredLocked => _registered.Session is not null;

    /// <summary>The session this gateway has entered in; null when it has not.</summary>
    internal StoreSession? SessionLocked => _entered == 0 ? null : _session;

    /// <summary>What a request with <paramref name="token"/> has to do next, and for which token.</summary>
    /// <param name="token">The token presented.</param>
    /// <param name="rules">Its policy's rules.</param>
    /// <param name="now">Monotonic ticks.</param>
    /// <param name="arrived"><see cref="EntersBegun"/> when the request arrived.</param>
    internal FenceStep NextLocked(long token, AdmissionRules rules, long now, int arrived)
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

        if (rules.AdvanceOnSuccess || HasEnteredLocked(token) || (_mark == token && !rules.Drain && IsCurrentLocked(arrived)))
        {
            return new FenceStep(FenceStepKind.Admit);
        }

        return _mark == token ? DrainStepLocked(token, now) : new FenceStep(FenceStepKind.Enter, token);
    }

    /// <summary>Seals every older token at this gateway, before the store is asked. Returns the oldest active token.</summary>
    /// <param name="token">The token to enter with.</param>
    /// <param name="session">The session to register.</param>
    /// <param name="sequence">The step's number.</param>
    internal long BeginEnterLocked(long token, StoreSession? session, long sequence)
    {
        StoreBusy = true;
        _told = false;
        _sealedBefore = (_sealed, _sealedIn);
        (_sealed, _sealedIn) = (token, session);
        _entered = 0;
        _enters.Begun++;
        _registeredBefore = _registered;
        if (session is { IsEndless: false })
        {
            _registered = new FenceRegistration(session, sequence);
        }

        return Math.Min(token, Active.Lowest);
    }

    /// <param name="token">What was asked for.</param>
    /// <param name="oldest">The oldest active token that was told.</param>
    /// <param name="session">The session that was registered.</param>
    /// <param name="reply">The store's reply.</param>
    /// <param name="holdUntil">When writes that ended sessions left behind stop to count.</param>
    /// <param name="askAt">When to ask again, at the latest, while others hold the token back.</param>
    internal void EndEnterLocked(long token, long oldest, StoreSession session, EnterReply reply, long holdUntil, long askAt)
    {
        StoreBusy = false;
        _enters.Answered = _enters.Begun;
        _alone = session.IsEndless;
        var mark = Math.Max(_mark, reply.Mark.Value);
        Volatile.Write(ref _mark, mark);
        _sealed = Math.Max(_sealed, mark);
        (_holdUntil, _askAt) = _told ? (0, 0) : (holdUntil, askAt);
        (_entered, _session) = reply.Status == EnterStatus.Admitted && _sealed == token ? (token, session) : (0, null);
        Used = true;
        var registersNothing = reply.Status == EnterStatus.Stale || (reply.Status == EnterStatus.Draining && oldest == token);
        if (registersNothing && _registeredBefore.Session != session)
        {
            // What it had before may stand on: that is known for certain only where it had nothing.
            _registered = default;
        }

        _registeredBefore = default;
    }

    /// <summary>The store could not tell. The seal stays, unless the store has certainly not heard of it.</summary>
    internal void FailLocked(string fault, bool notTaken = false)
    {
        StoreBusy = false;
        if (notTaken)
        {
            (_sealed, _sealedIn) = (Math.Max(_sealedBefore.Token, _mark), _sealedBefore.In);
            _registered = _registeredBefore;
        }

        _registeredBefore = default;
        Failures = (Failures.Count + 1, fault);
    }

    /// <summary>Something about the resource changed elsewhere: an older token is refused from now on, and whoever waits asks again.</summary>
    /// <returns>Whether the registration has to go as soon as nothing older is in flight.</returns>
    internal bool ToldLocked(long mark, bool risen)
    {
        // Who waits for others learns nothing from a rise that it knows, its own as it comes back, nor from what was let go before it.
        var known = Math.Max(_mark, _sealed);
        var isNews = mark == 0 || mark > known || (mark == known && !risen);
        LearnMarkLocked(mark);
        if (isNews)
        {
            (_holdUntil, _askAt, _told) = (0, 0, true);
        }

        if (mark == 0 || _entered < _mark)
        {
            // An unknown mark may be higher.
            _entered = 0;
        }

        return NeedsWithdrawalLocked;
    }

    /// <summary>Whether the store may have this gateway registered, in a session that lives, while nothing relies on it.</summary>
    internal bool NeedsWithdrawalLocked => !Retired && _registered.Session is { IsAlive: true } && _entered == 0;

    /// <summary>The store says that this session is registered where this gateway knows of nothing: a step that was carried out late.</summary>
    internal void AdoptLocked(StoreSession session, long sequence)
    {
        if (!StoreBusy && !_registered.Exists)
        {
            _registered = new FenceRegistration(session, sequence);
        }
    }

    /// <summary>Whether there is a registration that can be withdrawn now: no step is under way, nothing is in flight or in doubt. What was
    /// registered in a session that has ended goes with that.</summary>
    internal bool CanWithdrawLocked(long now)
    {
        Active.Sweep(now);
        return !Retired && !StoreBusy && _registered.Session is { IsAlive: true } && Active.IsEmpty;
    }

    /// <summary>Whether the fence is to wait for its turn to be withdrawn as an idle one. Looking is what makes it unused.</summary>
    internal bool TryAwaitWithdrawLocked(long now, bool evenIfUsed)
    {
        var isIdle = evenIfUsed || !Used;
        Used = false;
        if (!isIdle || _awaitsWithdraw || !CanWithdrawLocked(now))
        {
            return false;
        }

        _awaitsWithdraw = true;
        return true;
    }

    /// <summary>The turn of a fence that waited as an idle one has come. Whether it is still idle.</summary>
    internal bool TakeTurnLocked()
    {
        _awaitsWithdraw = false;
        return !Used;
    }

    /// <summary>Takes the registration, to withdraw it, if that can be done; the store is busy with it then.</summary>
    internal bool TryBeginWithdrawLocked(long now, out FenceRegistration registration)
    {
        registration = _registered;
        if (!CanWithdrawLocked(now))
        {
            return false;
        }

        StoreBusy = true;
        _told = false;
        _entered = 0;
        return true;
    }

    internal void EndWithdrawLocked(FenceRegistration registration, bool done)
    {
        StoreBusy = false;
        if (done && _registered == registration)
        {
            // Whatever was sealed and never answered: a step that is still on its way is older than the next one, and overtaken by it.
            (_registered, _sealed) = (default, _mark);
        }
    }

    /// <summary>The session that the registration was made in has ended and another one has begun: takes it for what may be
    /// withdrawn at once, because nothing is in flight, or leaves it to its hold.</summary>
    internal FenceRegistration TakeRegistrationLocked(StoreSession ended, long now)
    {
        // Where a step of the new session is under way, it is what was there before.
        var taken = _registered.Session == ended ? _registered : _registeredBefore;
        if (taken.Session != ended)
        {
            return default;
        }

        _registered = _registered.Session == ended ? default : _registered;
        _registeredBefore = default;
        Active.Sweep(now);
        return Active.IsEmpty ? taken : default;
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

    /// <summary>The operator's mark stands; null when the store has refused it.</summary>
    internal void EndSetMarkLocked(long? mark)
    {
        StoreBusy = false;
        _entered = 0;
        if (mark is { } set)
        {
            Volatile.Write(ref _mark, set);
            _sealed = set;
            _registered = default;
        }
    }

    /// <summary>Ends every hold; how many writes in doubt at this gateway that were.</summary>
    internal int ResolveLocked()
    {
        var resolved = Active.InDoubt.Count;
        Active.Resolve();
        (_holdUntil, _askAt) = (0, 0);
        return resolved;
    }

    /// <summary>Takes the fence out of use if nothing depends on it. What the store may have of this gateway is never forgotten, nor a
    /// seal that the store may not know, before the session in which it was told has ended: then nothing relies on it, as after a crash.</summary>
    internal bool TryRetireLocked(long now)
    {
        Active.Sweep(now);
        if (StoreBusy || !Active.IsEmpty || _holdUntil > now || _registered.Exists
            || (_sealed > _mark && _sealedIn is not { IsAlive: false }))
        {
            return false;
        }

        Retired = true;
        return true;
    }

    /// <summary>Takes the fence out of use whatever depends on it: nothing is admitted at it any more.</summary>
    internal void RetireLocked() => Retired = true;

    /// <summary>Takes over a mark that is known to be durable.</summary>
    internal void LearnMarkLocked(long mark)
    {
        Volatile.Write(ref _mark, Math.Max(_mark, mark));
        _sealed = Math.Max(_sealed, mark);
    }

    /// <summary>Whether somebody may wait for a change.</summary>
    internal bool IsAwaitedLocked => _changed is not null;

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

    /// <summary>Whether the mark is what the store has now: it was asked since the request arrived, or nobody else can raise it.</summary>
    internal bool IsCurrentLocked(int arrived) => _alone || _enters.Answered > arrived;

    private FenceStep DrainStepLocked(long token, long now)
    {
        if (Active.HasInFlightBelow(token))
        {
            return new FenceStep(FenceStepKind.AwaitDrain);
        }

        // Before this gateway's own writes in doubt are due, the store would only say so.
        var until = Math.Max(_holdUntil, Active.InDoubtBelowUntil(token) ?? 0);
        var wakeAt = Active.InDoubtBelowUntil(token) is null && _askAt != 0 ? _askAt : until;
        if (wakeAt > now)
        {
            return new FenceStep(FenceStepKind.AwaitDrain, Until: until > now ? until : 0, WakeAt: wakeAt);
        }

        return new FenceStep(FenceStepKind.Enter, token);
    }
}
