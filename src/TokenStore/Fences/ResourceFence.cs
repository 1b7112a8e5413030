namespace FenceGateway.TokenStore;

/// <summary>
/// One gateway's view of one resource: the lock, the change signal and the writes in flight around its
/// <see cref="GatewayFence"/>. Handed out by <see cref="FenceTable.Get"/>. Members ending in <c>Locked</c> need
/// <see cref="Gate"/>.
/// </summary>
public sealed class ResourceFence
{
    private GatewayFence _state;
    private GatewaySession? _session;
    private (int Begun, int Answered) _enters;
    private bool _awaitsWithdraw;
    private TaskCompletionSource? _changed;

    internal ResourceFence(ResourceKey resource, long mark) => (Resource, _state) = (resource, new GatewayFence(mark));

    /// <summary>The resource.</summary>
    public ResourceKey Resource { get; }

    /// <summary>The highest mark known to be durable; 0 when none is. Grows, unless an operator lowers it.</summary>
    public long Mark => _state.Mark;

    /// <summary>Whether a step is under way at the store, which everybody here waits for.</summary>
    public bool AwaitsStore => _state.IsBusy;

    /// <summary>
    /// Decides at once where memory alone can tell: the steady token of this gateway is admitted, a token known to be
    /// stale is refused. False when the store has to be asked or older writes awaited:
    /// <see cref="FenceTable.AdmitAsync"/>.
    /// </summary>
    /// <param name="token">The token presented.</param>
    /// <param name="isWrite">Whether it is in flight afterwards; a read is only ordered.</param>
    /// <param name="admission">The decision.</param>
    public bool TryAdmit(FencingToken token, bool isWrite, out Admission admission)
    {
        lock (Gate)
        {
            if (_state.Entered == token.Value && _state.HasEntered(token.Value, AliveLocked))
            {
                BeginLocked(token.Value, isWrite);
                admission = new Admission(AdmissionStatus.Admitted, this, token.Value, Session: _session);
                return true;
            }
        }

        var mark = Mark;
        admission = new Admission(AdmissionStatus.Stale, this, mark);
        return token.Value < mark;
    }

    /// <summary>An admitted write has ended: the service answered, or it was never sent.</summary>
    public void End(FencingToken token) => Finish(token.Value, doubtUntil: null);

    /// <summary>
    /// The end of an admitted write is unknown: it holds newer tokens back for <paramref name="hold"/>.
    /// </summary>
    public void EndInDoubt(FencingToken token, TimeSpan hold, TimeProvider time) =>
        Finish(token.Value, time.After(hold));

    internal Lock Gate { get; } = new();

    internal ActiveWrites Active { get; } = new();

    /// <summary>Looked up since the table's hand last came by.</summary>
    internal bool Touched { get; set; } = true;

    /// <summary>Admitted something since idle registrations were last looked for.</summary>
    internal bool Used { get; set; }

    /// <summary>
    /// The registration is about to be taken back, as soon as nothing is in flight or in doubt; whoever has set this
    /// sees to it.
    /// </summary>
    internal bool Revoking { get; set; }

    /// <summary>How often the store could not tell, and why it could not the last time.</summary>
    internal (int Count, string? Fault) Failures { get; private set; }

    /// <summary>Enters begun, up to now.</summary>
    internal int EntersBegun => _enters.Begun;

    /// <summary>What the gateway keeps to. Transitions that need no more than their arguments are taken here.</summary>
    internal ref GatewayFence StateLocked => ref _state;

    /// <summary>The session this gateway has entered in; null when it has not.</summary>
    internal GatewaySession? SessionLocked => _state.Entered == 0 ? null : _session;

    /// <inheritdoc cref="GatewayFence.NeedsWithdrawal"/>
    internal bool NeedsWithdrawalLocked => _state.NeedsWithdrawal(AliveLocked);

    /// <summary>Whether somebody may wait for a change.</summary>
    internal bool IsAwaited => _changed is not null;

    /// <summary>The session of the latest step, if it lives: those before it have ended.</summary>
    private long AliveLocked => _session is { IsAlive: true } session ? session.Number : 0;

    /// <summary>Something is admitted.</summary>
    internal void BeginLocked(long token, bool isWrite)
    {
        Used = true;
        if (isWrite)
        {
            Active.Begin(token);
        }
    }

    /// <summary>What a request has to do next.</summary>
    /// <param name="token">The token presented.</param>
    /// <param name="rules">Its policy's rules.</param>
    /// <param name="now">Monotonic ticks.</param>
    /// <param name="arrived"><see cref="EntersBegun"/> when the request arrived.</param>
    /// <param name="isOverdue">Whether its time to wait for older writes is up.</param>
    internal FenceStep NextLocked(long token, AdmissionRules rules, long now, int arrived, bool isOverdue = false)
    {
        var isAlone = _session is { IsEndless: true } && _enters.Answered > 0;
        var request = new FenceRequest(
            token, rules.Drain, rules.AdvanceOnSuccess, isAlone || _enters.Answered > arrived, isOverdue);
        return _state.Next(request, SweptLocked(now), AliveLocked, now);
    }

    /// <inheritdoc cref="GatewayFence.BeginEnter"/>
    internal FenceEnter BeginEnterLocked(long token, GatewaySession? session)
    {
        _enters.Begun++;
        _session = session ?? _session;
        return _state.BeginEnter(token, session?.Number ?? 0, session is { IsEndless: false }, Active);
    }

    /// <inheritdoc cref="GatewayFence.EndEnter"/>
    internal void EndEnterLocked(in FenceEnter asked, EnterReply reply, FenceWait wait)
    {
        _enters.Answered = _enters.Begun;
        Used = true;
        _state.EndEnter(asked, reply.Status, reply.Mark.Value, wait);
    }

    /// <inheritdoc cref="GatewayFence.FailEnter"/>
    internal void FailEnterLocked(string fault, bool notTaken)
    {
        _state.FailEnter(notTaken);
        Failures = (Failures.Count + 1, fault);
    }

    /// <inheritdoc cref="GatewayFence.Adopt"/>
    internal void AdoptLocked(GatewaySession session)
    {
        _session = session;
        _state.Adopt(session.Number);
    }

    /// <inheritdoc cref="GatewayFence.CanWithdraw"/>
    internal bool CanWithdrawLocked(long now) => _state.CanWithdraw(SweptLocked(now), AliveLocked);

    /// <summary>
    /// Whether the fence is to wait for its turn to be withdrawn as an idle one. Looking is what makes it unused.
    /// </summary>
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

    /// <summary>
    /// Begins to take back the registration, if that can be done; the session that it is in, else null.
    /// </summary>
    internal GatewaySession? TryBeginWithdrawLocked(long now) =>
        _state.TryBeginWithdraw(SweptLocked(now), AliveLocked) ? _session : null;

    /// <inheritdoc cref="GatewayFence.Leave"/>
    internal bool LeaveLocked(GatewaySession ended, long now) => _state.Leave(ended.Number, SweptLocked(now));

    /// <inheritdoc cref="GatewayFence.TryBeginSetMark"/>
    internal bool TryBeginSetMarkLocked(long now) => _state.TryBeginSetMark(SweptLocked(now), now);

    /// <summary>Ends every hold; how many writes in doubt at this gateway that were.</summary>
    internal int ResolveLocked()
    {
        var resolved = Active.InDoubt.Count;
        Active.Resolve();
        _state.Resolve();
        return resolved;
    }

    /// <inheritdoc cref="GatewayFence.TryRetire"/>
    internal bool TryRetireLocked(long now) => _state.TryRetire(SweptLocked(now), AliveLocked, now);

    /// <summary>Completes at the next change that somebody who waits has to look at.</summary>
    internal Task ChangedLocked() =>
        (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Takes the lock, changes something, and tells everybody who waits for a change.</summary>
    internal void Change(Action changeLocked)
    {
        TaskCompletionSource? signal;
        lock (Gate)
        {
            changeLocked();
            signal = TakeSignalLocked();
        }

        signal?.TrySetResult();
    }

    /// <summary>Takes the signal; its completion belongs outside the lock.</summary>
    internal TaskCompletionSource? TakeSignalLocked()
    {
        var signal = _changed;
        _changed = null;
        return signal;
    }

    private ActiveWrites SweptLocked(long now)
    {
        Active.Sweep(now);
        return Active;
    }

    private void Finish(long token, long? doubtUntil)
    {
        TaskCompletionSource? signal;
        lock (Gate)
        {
            var isLast = doubtUntil is { } until ? Active.EndInDoubt(token, until) : Active.End(token);
            signal = isLast ? TakeSignalLocked() : null;
        }

        signal?.TrySetResult();
    }
}
