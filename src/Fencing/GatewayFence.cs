namespace FenceGateway.Fencing;

/// <summary>
/// The state machine of one resource as a gateway keeps it: the gateway's half of the protocol, as
/// <see cref="ResourceState"/> is the store's. Pure: no clock, no I/O, no lock; time is an argument in monotonic ticks.
/// Every gateway runs it as it is, and so do the model of the protocol and the simulation of the quorum
/// (docs/protocol.md, "The model").
/// </summary>
/// <remarks>
/// A session is a number that is never used twice, greater than 0. Whether one lives is an argument: <c>alive</c> is
/// the session that lives now, 0 when none does. The writes in flight and in doubt are an argument too, swept of what
/// is due. A value: a copy is another fence. Not safe for use by several threads at once, <see cref="Mark"/> excepted.
/// </remarks>
public record struct GatewayFence
{
    private long _mark;
    private FencePromise _promise;
    private FencePromise _promiseBefore;
    private Entry _entry;
    private FenceWait _wait;
    private StoreStep _step;
    private long _news;

    /// <summary>Makes the fence of a resource about which nothing was asked yet.</summary>
    /// <param name="mark">The mark, as far as it is known to be durable; 0 when none is.</param>
    public GatewayFence(long mark) => Learn(mark);

    private enum StoreStep : byte { None, Enter, Withdraw, SetMark }

    /// <summary>The highest mark known to be durable; 0 when none is. Grows, unless an operator lowers it.</summary>
    public readonly long Mark => Volatile.Read(in _mark);

    /// <summary>The token that this gateway has entered with; 0 for none.</summary>
    public readonly long Entered => _entry.Token;

    /// <summary>Whether a step is under way at the store: one at a time, per resource and gateway.</summary>
    public readonly bool IsBusy => _step != StoreStep.None;

    /// <summary>Whether that step is an operator's change of the mark.</summary>
    public readonly bool IsBeingSet => _step == StoreStep.SetMark;

    /// <summary>Whether this gateway may be registered in the store.</summary>
    public readonly bool IsRegistered => _promise.RegisteredIn != 0;

    /// <summary>Out of use, for good: nothing is admitted any more.</summary>
    public bool IsRetired { get; private set; }

    /// <summary>
    /// Steady state: this gateway has entered with this very token in the session that lives. So nothing older can be
    /// in flight anywhere, and nothing newer is admitted before this gateway has withdrawn.
    /// </summary>
    public readonly bool HasEntered(long token, long alive) =>
        _entry.Token == token && _entry.Session == alive && !IsRetired;

    /// <summary>What a request has to do next.</summary>
    public readonly FenceStep Next(in FenceRequest request, ActiveWrites active, long alive, long now)
    {
        var token = request.Token;
        if (IsRetired)
        {
            return new FenceStep(FenceStepKind.LookUpAgain);
        }

        if (token < _mark)
        {
            return new FenceStep(FenceStepKind.RefuseStale);
        }

        if (IsBusy)
        {
            return new FenceStep(FenceStepKind.AwaitStore);
        }

        if (token < _promise.Sealed)
        {
            // A higher token was asked for and the reply was lost: never go back, ask for that one again.
            return new FenceStep(FenceStepKind.Enter, _promise.Sealed);
        }

        if (request.AdvanceOnSuccess || HasEntered(token, alive)
            || (_mark == token && !request.Drain && request.IsCurrent))
        {
            return new FenceStep(FenceStepKind.Admit);
        }

        var step = _mark == token ? Drain(token, active, now) : new FenceStep(FenceStepKind.Enter, token);
        // Overdue: a newer token may have come elsewhere meanwhile, and the last word is the store's (I9).
        return step.Kind != FenceStepKind.AwaitDrain || !request.IsOverdue ? step
            : request.IsCurrent ? step with { Kind = FenceStepKind.RefuseDraining }
            : new FenceStep(FenceStepKind.Enter, token);
    }

    /// <summary>Seals every older token at this gateway, before the store is asked.</summary>
    /// <param name="token">The token to enter with.</param>
    /// <param name="session">The session to register.</param>
    /// <param name="isRegistering">Whether the store registers it: a session that lives as long as the store it is
    /// not.</param>
    /// <param name="active">The writes in flight and in doubt.</param>
    public FenceEnter BeginEnter(long token, long session, bool isRegistering, ActiveWrites active)
    {
        Move(StoreStep.None, StoreStep.Enter);
        _promiseBefore = _promise;
        _promise = isRegistering
            ? new FencePromise(token, AskedIn: 0, RegisteredIn: session)
            : _promise with { Sealed = token, AskedIn = session };
        return new FenceEnter(token, Math.Min(token, active.Lowest), session);
    }

    /// <summary>The store has answered.</summary>
    /// <param name="asked">What it was asked.</param>
    /// <param name="status">Admitted, draining or stale.</param>
    /// <param name="mark">The mark it answered with, durable.</param>
    /// <param name="wait">While draining: for how long.</param>
    public void EndEnter(in FenceEnter asked, EnterStatus status, long mark, FenceWait wait)
    {
        var news = Move(StoreStep.Enter, StoreStep.None);
        _wait = news == 0 ? wait : default;
        Learn(mark);
        var isLast = _promise.Sealed == asked.Token && news <= asked.Token;
        _entry = status == EnterStatus.Admitted && isLast ? new Entry(asked.Token, asked.Session) : default;
        var registersNothing = status == EnterStatus.Stale
            || (status == EnterStatus.Draining && asked.Oldest == asked.Token);
        if (registersNothing && _promiseBefore.RegisteredIn != asked.Session)
        {
            // What it had before may stand on: that is known for certain only where it had nothing.
            _promise.RegisteredIn = 0;
        }

        _promiseBefore = default;
    }

    /// <summary>
    /// The store could not tell. What was promised stays so, unless the store has certainly not heard of it.
    /// </summary>
    public void FailEnter(bool notTaken)
    {
        Move(StoreStep.Enter, StoreStep.None);
        (_promise, _promiseBefore) = (notTaken ? _promiseBefore : _promise, default);
        Learn(_mark);
    }

    /// <summary>
    /// It is said that something about the resource changed elsewhere: an older token has to ask the store from now on,
    /// and whoever waits asks again. What is said may not be durable: for good, only the store's answer refuses (I5).
    /// </summary>
    /// <param name="mark">The mark that is told of; 0 when it is not known.</param>
    /// <param name="risen">Whether certainly nothing but the mark has changed.</param>
    public void TakeNotice(long mark, bool risen)
    {
        // A waiter ignores a rise that it already knows about, its own as it comes back, and what was let go before
        // that.
        var known = Math.Max(_mark, _promise.Sealed);
        if (mark == 0 || mark > known || (mark == known && !risen))
        {
            (_wait, _news) = (default, IsBusy ? Math.Max(_news, Math.Max(mark, 1)) : 0);
        }

        if (mark == 0 || _entry.Token < mark)
        {
            // An unknown mark may be higher.
            _entry = default;
        }
    }

    /// <summary>Takes over a mark that is known to be durable.</summary>
    public void Learn(long mark)
    {
        Volatile.Write(ref _mark, Math.Max(_mark, mark));
        _promise.Sealed = Math.Max(_promise.Sealed, _mark);
    }

    /// <summary>
    /// The store says that this session is registered where this gateway knows of nothing: a step was carried out late.
    /// </summary>
    public void Adopt(long session)
    {
        if (!IsBusy && !IsRegistered)
        {
            _promise.RegisteredIn = session;
        }
    }

    /// <summary>
    /// Whether the store may have this gateway registered, in the session that lives, while nothing relies on it.
    /// </summary>
    public readonly bool NeedsWithdrawal(long alive) => Entered == 0 && IsRegisteredIn(alive);

    /// <summary>
    /// Whether there is a registration that can be withdrawn now: no step is under way, nothing is in flight or in
    /// doubt. What was registered in a session that has ended goes with that.
    /// </summary>
    public readonly bool CanWithdraw(ActiveWrites active, long alive) =>
        IsRegisteredIn(alive) && !IsBusy && active.IsEmpty;

    /// <summary>Begins to take back the registration in the session that lives, if that can be done.</summary>
    public bool TryBeginWithdraw(ActiveWrites active, long alive)
    {
        if (!CanWithdraw(active, alive))
        {
            return false;
        }

        Move(StoreStep.None, StoreStep.Withdraw);
        return true;
    }

    /// <summary>The withdrawal has ended.</summary>
    /// <param name="session">Whose registration it was.</param>
    /// <param name="done">Whether the store has certainly carried it out.</param>
    public void EndWithdraw(long session, bool done)
    {
        Move(StoreStep.Withdraw, StoreStep.None);
        if (done && _promise.RegisteredIn == session)
        {
            // A step that was never answered and is still under way is older than the next one, and overtaken by it.
            _promise = new FencePromise(_mark, AskedIn: 0, RegisteredIn: 0);
        }
    }

    /// <summary>
    /// A session has ended, and another one has begun: what was entered in it is void. Whether a registration of it may
    /// be withdrawn at once, because nothing is in flight or in doubt; otherwise it is left to its hold.
    /// </summary>
    public bool Leave(long ended, ActiveWrites active)
    {
        // Where a step of the new session is under way, it is what was there before.
        var wasRegistered = _promise.RegisteredIn == ended || _promiseBefore.RegisteredIn == ended;
        _promise.Forget(ended);
        _promiseBefore.Forget(ended);
        _entry = _entry.Session == ended ? default : _entry;
        return wasRegistered && active.IsEmpty;
    }

    /// <summary>Begins an operator's change of the mark, if that can be done now.</summary>
    public bool TryBeginSetMark(ActiveWrites active, long now)
    {
        if (IsRetired || IsBusy || !active.IsEmpty || _wait.HoldUntil > now)
        {
            return false;
        }

        Move(StoreStep.None, StoreStep.SetMark);
        return true;
    }

    /// <summary>The operator's mark stands; null when the store has refused it or could not tell.</summary>
    public void EndSetMark(long? mark)
    {
        Move(StoreStep.SetMark, StoreStep.None);
        if (mark is { } set)
        {
            Volatile.Write(ref _mark, set);
            _promise = new FencePromise(set, AskedIn: 0, RegisteredIn: 0);
        }
    }

    /// <summary>An operator's word that nothing in doubt can be applied any more.</summary>
    public void Resolve() => _wait = default;

    /// <summary>
    /// Takes the fence out of use if nothing depends on it. What the store may have of this gateway is not forgotten,
    /// nor a seal that was not answered, before the session in which the store was asked has ended: then it is as after
    /// a crash.
    /// </summary>
    public bool TryRetire(ActiveWrites active, long alive, long now)
    {
        var isUnanswered = alive != 0 && _promise.AskedIn == alive && _promise.Sealed > _mark;
        if (IsBusy || !active.IsEmpty || _wait.HoldUntil > now || IsRegistered || isUnanswered)
        {
            return false;
        }

        Retire();
        return true;
    }

    /// <summary>Takes the fence out of use whatever depends on it.</summary>
    public void Retire() => IsRetired = true;

    /// <summary>
    /// For a search in which time stands still: without what only waits depend on, without the mark, below which it
    /// admits nothing anyway, and without what a step that was not taken brings back. News count only above the token
    /// that was asked for.
    /// </summary>
    internal readonly GatewayFence Timeless() => this with
    {
        _mark = 0,
        _wait = default,
        _news = _news > _promise.Sealed ? long.MaxValue : 0,
        _promiseBefore = new FencePromise(0, 0, _promiseBefore.RegisteredIn),
    };

    private readonly bool IsRegisteredIn(long alive) => alive != 0 && _promise.RegisteredIn == alive && !IsRetired;

    private readonly FenceStep Drain(long token, ActiveWrites active, long now)
    {
        if (active.HasInFlightBelow(token))
        {
            return new FenceStep(FenceStepKind.AwaitDrain);
        }

        // Before this gateway's own writes in doubt are due, the store would only say so.
        var ownUntil = active.InDoubtBelowUntil(token);
        var until = Math.Max(_wait.HoldUntil, ownUntil ?? 0);
        var wakeAt = ownUntil is null && _wait.AskAt != 0 ? _wait.AskAt : until;
        return wakeAt > now
            ? new FenceStep(FenceStepKind.AwaitDrain, Until: until > now ? until : 0, WakeAt: wakeAt)
            : new FenceStep(FenceStepKind.Enter, token, AfterWait: _wait.AskAt != 0);
    }

    /// <summary>
    /// From one step at the store to the next. The highest mark told of while the former was under way, which its
    /// answer may be older than; 0 when there was no news.
    /// </summary>
    private long Move(StoreStep from, StoreStep to)
    {
        if (_step != from)
        {
            throw new InvalidOperationException($"The step under way is {_step}, not {from}.");
        }

        var news = _news;
        (_step, _news, _entry) = (to, 0, default);
        return news;
    }

    /// <summary>What this gateway has entered with, and in which session; the default for nothing.</summary>
    private readonly record struct Entry(long Token, long Session);
}
