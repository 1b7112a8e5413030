using FenceGateway.Fencing;

namespace FenceGateway.Protocol.Model.Tests;

/// <summary>Generates what can follow on a state.</summary>
internal sealed partial class ModelSteps(ModelScope scope, bool sort = true)
{
    private readonly ModelStore _store = new(scope.Flaw);
    private readonly GatewayView[] _gateways = new GatewayView[scope.Gateways];
    private readonly GatewayView[] _next = new GatewayView[scope.Gateways];
    private readonly ulong[] _packed = new ulong[3];
    private byte _mark;
    private byte _forwarded;
    private ModelVisit _visit = null!;

    public static ModelState Start => default;

    public int StoreAnswers => _store.Asked;

    /// <summary>The state's parts, valid until the next call.</summary>
    public ReadOnlySpan<GatewayView> Read(in ModelState state, out byte mark)
    {
        Load(state);
        mark = _mark;
        return _gateways;
    }

    public void Visit(in ModelState state, ModelVisit visit)
    {
        Load(state);
        _visit = visit;
        for (var i = 0; i < _gateways.Length; i++)
        {
            Requests(i);
            AtStore(i);
            Replies(i);
            Writes(i);
            Ends(i);
        }
    }

    private bool KeepsMark => scope.Flaw == ModelFlaw.AdmitsFromTheCachedMark;

    private bool Has(ModelFaults fault) => scope.Faults.HasFlag(fault);

    private void Requests(int i)
    {
        ref readonly var g = ref _gateways[i];
        for (byte mark = 1; mark <= _mark; mark++)
        {
            if (g.Sealed < mark || (g.Entered != 0 && g.Entered < mark) || (KeepsMark && g.Mark < mark))
            {
                var entered = g.Entered < mark ? (byte)0 : g.Entered;
                Emit(i, g with { Mark = Math.Max(g.Mark, mark), Sealed = Math.Max(g.Sealed, mark), Entered = entered }, ModelStep.Told, mark);
            }
        }

        if (!g.HasSession)
        {
            Emit(i, g with { Current = new SessionView(SessionStatus.Alive, 0, 0, 0) }, ModelStep.StartSession);
            return;
        }

        if (g.Step != StepKind.None)
        {
            if (scope.Flaw == ModelFlaw.WithdrawsDuringEnter && g.Step == StepKind.Enter && g.IsIdle)
            {
                var overlapping = g;
                if (overlapping.TryAddLate(new LateStep(StepKind.Withdraw, false, 0, 0, GatewayView.Latest), scope.LateSteps))
                {
                    Emit(i, overlapping, ModelStep.BeginWithdraw);
                }
            }

            return;
        }

        if (g.Entered != 0)
        {
            Emit(i, g with { Entered = 0 }, ModelStep.NotTaken);
        }

        for (var token = Math.Max((byte)1, Math.Max(g.Sealed, g.Mark)); token <= scope.Tokens; token++)
        {
            if (token != g.Entered)
            {
                BeginEnter(i, token);
            }
        }

        // With nothing registered, and nothing on its way that could register, a withdrawal does nothing.
        var registered = g.Current.Registered != 0 || g.Late0.Kind != StepKind.None || g.Late1.Kind != StepKind.None;
        if (registered && (g.IsIdle || scope.Flaw == ModelFlaw.WithdrawsBeforeTheDrain))
        {
            Emit(i, g with { Step = StepKind.Withdraw, Entered = 0 }, ModelStep.BeginWithdraw);
        }
    }

    private void BeginEnter(int i, byte token)
    {
        var g = _gateways[i];
        var lowest = Math.Min(token, g.Lowest(none: token));
        (g.Step, g.Token) = (StepKind.Enter, token);
        g.Oldest = scope.Flaw == ModelFlaw.RegistersAboveItsOldest ? token : lowest;
        if (scope.Flaw != ModelFlaw.GoesBackAfterALostReply)
        {
            (g.Sealed, g.Entered) = (token, 0);
        }

        g.NextSequence();
        Emit(i, g, ModelStep.BeginEnter, token);
    }

    private void AtStore(int i)
    {
        var g = _gateways[i];
        if (g.Step != StepKind.None && !g.Admitted)
        {
            var mark = _mark;
            _gateways.CopyTo(_next, 0);
            var reply = _store.Take(_next, ref mark, i, Pending(g, ofOldSession: false));
            var admitted = reply == EnterStatus.Admitted || (reply == EnterStatus.Draining && scope.Flaw == ModelFlaw.NoDrain);
            if (admitted)
            {
                _next[i].Admitted = true;
            }
            else
            {
                _next[i].EndOperation();
                _next[i].Sealed = Math.Max(_next[i].Sealed, g.Token);
                _next[i].Entered = 0;
            }

            EmitAll(mark, i, g.Step == StepKind.Enter ? Named(reply, ModelStep.Admitted) : ModelStep.Withdrawn, g.Token);
            if (g.Step == StepKind.Withdraw)
            {
                // What was sealed is given up, and the fence may be forgotten: with other steps of this gateway still on their way.
                (_next[i].Mark, _next[i].Sealed) = (0, 0);
                EmitAll(mark, i, ModelStep.Withdrawn, 0);
            }
        }

        for (var slot = 0; slot < 2; slot++)
        {
            var late = slot == 0 ? g.Late0 : g.Late1;
            if (late.Kind == StepKind.None)
            {
                continue;
            }

            var mark = _mark;
            _gateways.CopyTo(_next, 0);
            var reply = _store.Take(_next, ref mark, i, late);
            Clear(ref _next[i], slot);
            EmitAll(mark, i, late.Kind == StepKind.Enter ? Named(reply, ModelStep.LateAdmitted) : ModelStep.LateWithdrawn, late.Token);

            var lost = g;
            Clear(ref lost, slot);
            Emit(i, lost, ModelStep.LateStepLost, late.Token);
        }
    }

    private void Replies(int i)
    {
        ref readonly var g = ref _gateways[i];
        if (g.Step == StepKind.None)
        {
            return;
        }

        if (g.Admitted)
        {
            var done = g with { Mark = Math.Max(g.Mark, g.Token), Sealed = Math.Max(g.Sealed, g.Token) };
            done.Entered = done.Sealed == g.Token ? g.Token : (byte)0;
            done.EndOperation();
            Emit(i, done, ModelStep.AdmittedReply, g.Token);
        }

        if (!Has(ModelFaults.LostReplies))
        {
            return;
        }

        var lost = g;
        lost.EndOperation();
        Emit(i, lost, ModelStep.GiveUpLost, g.Token);
        if (!g.Admitted && lost.TryAddLate(Pending(g, ofOldSession: false), scope.LateSteps))
        {
            Emit(i, lost, ModelStep.GiveUpLate, g.Token);
        }
    }

    private void Writes(int i)
    {
        ref readonly var g = ref _gateways[i];
        if (g.HasSession && g.Step == StepKind.None)
        {
            var fromMemory = scope.Flaw == ModelFlaw.AdmitsFromTheCachedMark && g.Mark != 0 && g.Sealed == g.Mark ? g.Mark : (byte)0;
            Forward(i, g.Entered);
            Forward(i, fromMemory == g.Entered ? (byte)0 : fromMemory);
        }

        for (byte token = 1; token <= scope.Tokens; token++)
        {
            Write(i, old: false, token);
            Write(i, old: true, token);
        }
    }

    private void Forward(int i, byte token)
    {
        if (token == 0 || _gateways[i].Current[token] != WriteStatus.None)
        {
            return;
        }

        var violation = token < _forwarded ? $"I1: {token} is forwarded after {_forwarded}" : null;
        foreach (ref var other in _gateways.AsSpan())
        {
            violation ??= Overlap(other.Current, token) ?? Overlap(other.Old, token);
        }

        var g = _gateways[i];
        g.Current.Set(token, WriteStatus.InFlight);
        var before = _forwarded;
        _forwarded = Math.Max(before, token);
        Emit(i, g, ModelStep.Forward, token, violation);
        _forwarded = before;
    }

    private string? Overlap(SessionView session, byte token)
    {
        for (byte other = 1; other <= scope.Tokens; other++)
        {
            if (other != token && session[other] is WriteStatus.InFlight or WriteStatus.InDoubt)
            {
                return $"I3: {token} is forwarded while {other} may be applied";
            }
        }

        return null;
    }

    private void Write(int i, bool old, byte token)
    {
        var g = _gateways[i];
        ref var session = ref old ? ref g.Old : ref g.Current;
        switch (session[token])
        {
            case WriteStatus.InFlight:
                session.Set(token, WriteStatus.None);
                Emit(i, g, ModelStep.Answered, token);
                if (Has(ModelFaults.InDoubt))
                {
                    session.Set(token, WriteStatus.InDoubt);
                    Emit(i, g, ModelStep.TimedOut, token);
                }

                break;
            case WriteStatus.InDoubt:
                session.Set(token, WriteStatus.None);
                Emit(i, g, ModelStep.DoubtOver, token);
                break;
        }
    }

    private void Ends(int i)
    {
        ref readonly var g = ref _gateways[i];
        if (g.HasSession && g.Old.Status == SessionStatus.None)
        {
            if (Has(ModelFaults.LostSessions))
            {
                LoseSession(i, ModelStep.LoseSession);
            }

            if (Has(ModelFaults.Crashes))
            {
                LoseSession(i, ModelStep.Crash);
            }
        }
        else if (!g.HasSession && Has(ModelFaults.Crashes))
        {
            var crashed = g with { Forgotten = g.Old.Status != SessionStatus.None, Mark = 0, Sealed = 0, Entered = 0 };
            CutOff(ref crashed.Old);
            Emit(i, crashed, ModelStep.Crash);
        }

        if (g is { Sealed: not 0, Entered: 0, Step: StepKind.None, Current.Registered: 0 } && g.IsIdle && !MayRegister(g.Late0) && !MayRegister(g.Late1))
        {
            // Nothing was asked for in this session; in the one before it may have been, and be carried out yet.
            Emit(i, g with { Mark = 0, Sealed = 0 }, ModelStep.Forget);
        }

        if (g.Old.Status != SessionStatus.None && !g.Forgotten && g.IsIdle)
        {
            var leaving = g;
            if (leaving.TryAddLate(new LateStep(StepKind.Withdraw, true, 0, 0, GatewayView.Latest), scope.LateSteps))
            {
                Emit(i, leaving, ModelStep.LeaveOldSession);
            }
        }

        Clock(i, old: true);
        Clock(i, old: false);
    }

    /// <summary>The store's clock. A session that its gateway still admits in does not expire there: that is what the gateway's margin is
    /// for. No write is applied later than InDoubtHold after its connection was cut.</summary>
    private void Clock(int i, bool old)
    {
        var g = _gateways[i];
        ref var session = ref old ? ref g.Old : ref g.Current;
        switch (session.Status)
        {
            case SessionStatus.Alive when old || scope.Flaw == ModelFlaw.EndsItsSessionTooLate:
                session.Status = SessionStatus.Ended;
                Emit(i, g, ModelStep.Expire);
                break;
            case SessionStatus.Ended:
                for (var token = 1; token <= scope.Tokens; token++)
                {
                    if (session[token] == WriteStatus.InDoubt)
                    {
                        return;
                    }
                }

                session.Status = SessionStatus.HoldOver;
                Emit(i, g, ModelStep.HoldOver);
                break;
        }
    }

    private void LoseSession(int i, ModelStep step)
    {
        var g = _gateways[i];
        if (g.Old.Status != SessionStatus.None)
        {
            return;
        }

        var pending = g;
        g.Old = g.Current;
        g.Current = default;
        g.Entered = 0;
        g.Forgotten = step == ModelStep.Crash;
        if (g.Forgotten)
        {
            (g.Mark, g.Sealed) = (0, 0);
        }

        if (scope.Flaw != ModelFlaw.LetsWritesGoOn || g.Forgotten)
        {
            CutOff(ref g.Old);
        }

        g.Late0 = g.Late0.Kind == StepKind.None ? g.Late0 : g.Late0 with { OfOldSession = true };
        g.Late1 = g.Late1.Kind == StepKind.None ? g.Late1 : g.Late1 with { OfOldSession = true };
        g.EndOperation();
        Emit(i, g, step);
        if (pending.Step != StepKind.None && !pending.Admitted && g.TryAddLate(Pending(pending, ofOldSession: true), scope.LateSteps))
        {
            Emit(i, g, step);
        }
    }

    private void CutOff(ref SessionView session)
    {
        for (var token = 1; token <= scope.Tokens; token++)
        {
            if (session[token] == WriteStatus.InFlight)
            {
                session.Set(token, WriteStatus.InDoubt);
            }
        }
    }

    private static bool MayRegister(LateStep late) => late is { Kind: StepKind.Enter, OfOldSession: false };

    private static LateStep Pending(in GatewayView g, bool ofOldSession) =>
        new(g.Step, ofOldSession, g.Token, g.Oldest, GatewayView.Latest);

    private static ModelStep Named(EnterStatus? reply, ModelStep first) => first + (reply is { } status ? (int)status : 3);

    private void Normalize(ref GatewayView g, byte mark)
    {
        // What can do nothing any more is as good as lost.
        g.Late1 = IsDead(g, g.Late1, g.Late0, mark) ? default : g.Late1;
        g.Late0 = IsDead(g, g.Late0, g.Late1, mark) ? default : g.Late0;
        g.Normalize();
        g.Mark = KeepsMark ? g.Mark : (byte)0;
    }

    private bool IsDead(in GatewayView g, LateStep late, LateStep other, byte mark)
    {
        var session = late.OfOldSession ? g.Old : g.Current;
        if (late.Kind == StepKind.Enter)
        {
            return late.Token < mark || session.Status != SessionStatus.Alive;
        }

        var mayRegister = other.Kind == StepKind.Enter && other.OfOldSession == late.OfOldSession;
        var outdated = session.Sequence > late.Sequence && scope.Flaw != ModelFlaw.WithdrawsWithoutSequence;
        var pending = g.Step == StepKind.Enter && !late.OfOldSession
            && scope.Flaw is ModelFlaw.WithdrawsWithoutSequence or ModelFlaw.WithdrawsDuringEnter;
        return late.Kind == StepKind.Withdraw && !mayRegister && !pending && (session.Registered == 0 || outdated);
    }

    private static void Clear(ref GatewayView g, int slot)
    {
        if (slot == 0)
        {
            g.Late0 = default;
        }
        else
        {
            g.Late1 = default;
        }
    }
}
