using FenceGateway.Fencing;

namespace FenceGateway.Protocol.Model.Tests;

/// <summary>Generates what can follow on a state.</summary>
internal sealed partial class ModelSteps(ModelScope scope, ModelMemories memories, bool sort = true)
{
    // A gateway leaves a session when the next one begins: its fence never knows two.
    private const long Session = 1;

    private readonly ModelStore _store = new(scope.Flaw);
    private readonly ModelGateway[] _gateways = new ModelGateway[scope.Gateways];
    private readonly ModelGateway[] _next = new ModelGateway[scope.Gateways];
    private readonly ulong[] _packed = new ulong[3];
    private byte _mark;
    private byte _forwarded;
    private long _learnt;
    private ModelVisit _visit = null!;

    public static ModelState Start => default;

    public int StoreAnswers => _store.Asked;

    /// <summary>The state's parts, valid until the next call.</summary>
    public ReadOnlySpan<ModelGateway> Read(in ModelState state, out byte mark)
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
            Notices(i);
            Requests(i);
            AtStore(i);
            Replies(i);
            Writes(i);
            Ends(i);
        }
    }

    private bool Has(ModelFaults fault) => scope.Faults.HasFlag(fault);

    private void Emit(int i, in ModelMemory changed, ModelStep step, int token = 0)
    {
        var memory = Put(changed);
        if (memory != _gateways[i].Memory)
        {
            Emit(i, _gateways[i] with { Memory = memory }, step, token);
        }
    }

    private void Notices(int i)
    {
        ref readonly var g = ref _gateways[i];
        var memory = memories[g.Memory];
        for (var mark = memory.Step == StepKind.None ? 0 : 1; mark <= scope.Tokens; mark++)
        {
            // Also of what is not durable yet, or never will be.
            var told = memory.Fence;
            told.TakeNotice(mark, risen: mark != 0);
            told.Learn(scope.Flaw == ModelFlaw.BelievesNotices ? mark : 0);
            Emit(i, memory with { Fence = told }, ModelStep.Told, mark);
        }

        if (g.Current.Registered != 0 && g.Current.Registered < _mark)
        {
            var revoked = memory.Fence;
            revoked.Adopt(Session);
            revoked.TakeNotice(_mark, risen: false);
            Emit(i, memory with { Fence = revoked }, ModelStep.Revoked, _mark);
        }
    }

    private void Requests(int i)
    {
        ref readonly var g = ref _gateways[i];
        var memory = memories[g.Memory];
        var writes = memories.Writes(g);
        if (!g.HasSession)
        {
            StartSession(i, memory.Fence, writes);
        }
        else if (memory.Step == StepKind.None)
        {
            for (byte token = 1; token <= scope.Tokens; token++)
            {
                Request(i, memory.Fence, writes, token);
            }

            var withdrawing = memory.Fence;
            if (withdrawing.TryBeginWithdraw(
                    scope.Flaw == ModelFlaw.WithdrawsBeforeTheDrain ? ModelMemories.NoWrites : writes, Session))
            {
                Emit(i, new ModelMemory(withdrawing, StepKind.Withdraw), ModelStep.BeginWithdraw);
            }
        }
        else if (scope.Flaw == ModelFlaw.WithdrawsDuringEnter && memory.Step == StepKind.Enter && writes.IsEmpty)
        {
            var overlapping = g;
            if (overlapping.TryAddLate(
                    new LateStep(StepKind.Withdraw, false, 0, 0, ModelGateway.Latest), scope.LateSteps))
            {
                Emit(i, overlapping, ModelStep.BeginWithdraw);
            }
        }
    }

    private void StartSession(int i, GatewayFence fence, ActiveWrites writes)
    {
        var leaves = fence.Leave(Session, writes);
        var started =
            _gateways[i] with
            { Current = new SessionView(SessionStatus.Alive, 0, 0, 0), Memory = Put(new ModelMemory(fence)) };
        Emit(i, started, ModelStep.StartSession);
        if (leaves && started.Old.Status != SessionStatus.None
            && started.TryAddLate(new LateStep(StepKind.Withdraw, true, 0, 0, ModelGateway.Latest), scope.LateSteps))
        {
            Emit(i, started, ModelStep.StartSession);
        }
    }

    /// <summary>
    /// A request that has waited for older writes as long as it may: before that, it would only wait.
    /// </summary>
    private void Request(int i, in GatewayFence fence, ActiveWrites writes, byte token)
    {
        var isReliedOn = scope.Flaw == ModelFlaw.AdmitsFromTheCachedMark;
        var request = new FenceRequest(token, Drain: !isReliedOn, IsCurrent: isReliedOn, IsOverdue: true);
        var step = fence.Next(request, writes, Session, ModelMemories.Now);
        if (step.Kind == FenceStepKind.Admit)
        {
            Forward(i, token);
        }

        if (step.Kind == FenceStepKind.Enter && step.Token == token)
        {
            BeginEnter(i, fence, writes, token);
        }
    }

    private void BeginEnter(int i, GatewayFence fence, ActiveWrites writes, byte token)
    {
        var before = fence;
        var asked = fence.BeginEnter(token, Session, isRegistering: true, writes);
        asked = scope.Flaw == ModelFlaw.RegistersAboveItsOldest ? asked with { Oldest = token } : asked;
        var g = _gateways[i];
        g.Memory = Put(
            new ModelMemory(scope.Flaw == ModelFlaw.GoesBackAfterALostReply ? before : fence, StepKind.Enter, asked));
        g.NextSequence();
        Emit(i, g, ModelStep.BeginEnter, token);

        // What comes between is all the same after it.
        fence.FailEnter(notTaken: true);
        Emit(i, new ModelMemory(fence), ModelStep.NotTaken, token);
    }

    private void AtStore(int i)
    {
        var g = _gateways[i];
        var memory = memories[g.Memory];
        if (memory.Step != StepKind.None && !memory.Admitted)
        {
            var mark = _mark;
            _gateways.CopyTo(_next, 0);
            var reply = _store.Take(_next, ref mark, i, Pending(memory, ofOldSession: false));
            var token = (int)memory.Asked.Token;
            var admitted = reply == EnterStatus.Admitted
                || (reply == EnterStatus.Draining && scope.Flaw == ModelFlaw.NoDrain);
            _next[i].Memory = Put(admitted ? memory with { Admitted = true } : Answered(memory, reply, mark));
            EmitAll(
                mark, i, memory.Step == StepKind.Enter ? Named(reply, ModelStep.Admitted) : ModelStep.Withdrawn, token);
            if (!admitted && Has(ModelFaults.LostReplies))
            {
                _next[i].Memory = Put(Unanswered(memory));
                EmitAll(mark, i, ModelStep.AnswerLost, token);
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
            EmitAll(
                mark, i, late.Kind == StepKind.Enter ? Named(reply, ModelStep.LateAdmitted) : ModelStep.LateWithdrawn,
                late.Token);

            var lost = g;
            Clear(ref lost, slot);
            Emit(i, lost, ModelStep.LateStepLost, late.Token);
        }
    }

    private ModelMemory Answered(in ModelMemory memory, EnterStatus? reply, long mark)
    {
        var fence = memory.Fence;
        if (memory.Step == StepKind.Withdraw)
        {
            fence.EndWithdraw(Session, done: true);
            return new ModelMemory(fence);
        }

        if (reply is not { } status)
        {
            return Unanswered(memory);
        }

        if (scope.Flaw == ModelFlaw.GoesBackAfterALostReply)
        {
            fence.BeginEnter(memory.Asked.Token, Session, isRegistering: true, ModelMemories.NoWrites);
        }

        fence.EndEnter(memory.Asked, status, mark, default);
        return new ModelMemory(fence);
    }

    private ModelMemory Unanswered(in ModelMemory memory)
    {
        var fence = memory.Fence;
        if (memory.Step == StepKind.Withdraw)
        {
            fence.EndWithdraw(Session, done: false);
        }
        else if (scope.Flaw != ModelFlaw.GoesBackAfterALostReply)
        {
            fence.FailEnter(notTaken: false);
        }

        return new ModelMemory(fence);
    }

    private void Replies(int i)
    {
        ref readonly var g = ref _gateways[i];
        var memory = memories[g.Memory];
        var token = (int)memory.Asked.Token;
        if (memory.Step == StepKind.None)
        {
            return;
        }

        if (memory.Admitted)
        {
            Emit(i, Answered(memory, EnterStatus.Admitted, token), ModelStep.AdmittedReply, token);
        }

        if (!Has(ModelFaults.LostReplies))
        {
            return;
        }

        var lost = g with { Memory = Put(Unanswered(memory)) };
        Emit(i, lost, ModelStep.GiveUpLost, token);
        if (!memory.Admitted && lost.TryAddLate(Pending(memory, ofOldSession: false), scope.LateSteps))
        {
            Emit(i, lost, ModelStep.GiveUpLate, token);
        }
    }

    private void Writes(int i)
    {
        for (byte token = 1; token <= scope.Tokens; token++)
        {
            Write(i, old: false, token);
            Write(i, old: true, token);
        }
    }

    private void Forward(int i, byte token)
    {
        if (_gateways[i].Current[token] != WriteStatus.None)
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
            var crashed = g with { Forgotten = g.Old.Status != SessionStatus.None, Memory = ModelMemories.Empty };
            CutOff(ref crashed.Old);
            Emit(i, crashed, ModelStep.Crash);
        }

        var memory = memories[g.Memory];
        if (memory.Step == StepKind.None
            && memory.Fence.TryRetire(memories.Writes(g), g.HasSession ? Session : 0, ModelMemories.Now))
        {
            Emit(i, default(ModelMemory), ModelStep.Forget);
        }

        Clock(i, old: true);
        Clock(i, old: false);
    }

    /// <summary>
    /// The store's clock. A session that its gateway still admits in does not expire there: that is what the gateway's
    /// margin is for. No write is applied later than InDoubtHold after its connection was cut.
    /// </summary>
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

        // A reply that comes after this tells nothing but a mark: it is lost.
        var memory = memories[g.Memory];
        g.Old = g.Current;
        g.Current = default;
        g.Forgotten = step == ModelStep.Crash;
        g.Memory = g.Forgotten ? ModelMemories.Empty : memory.Step == StepKind.None ? g.Memory : Put(
            Unanswered(memory));
        if (scope.Flaw != ModelFlaw.LetsWritesGoOn || g.Forgotten)
        {
            CutOff(ref g.Old);
        }

        g.Late0 = g.Late0.Kind == StepKind.None ? g.Late0 : g.Late0 with { OfOldSession = true };
        g.Late1 = g.Late1.Kind == StepKind.None ? g.Late1 : g.Late1 with { OfOldSession = true };
        Emit(i, g, step);
        if (memory is { Step: not StepKind.None, Admitted: false }
            && g.TryAddLate(Pending(memory, ofOldSession: true), scope.LateSteps))
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

    private static LateStep Pending(in ModelMemory memory, bool ofOldSession) =>
        new(memory.Step, ofOldSession, (byte)memory.Asked.Token, (byte)memory.Asked.Oldest, ModelGateway.Latest);

    private static ModelStep Named(EnterStatus? reply, ModelStep first) =>
        first + (reply is { } status ? (int)status : 3);

    private void Normalize(ref ModelGateway g, byte mark)
    {
        // What can do nothing any more is as good as lost.
        g.Late1 = IsDead(g, g.Late1, g.Late0, mark) ? default : g.Late1;
        g.Late0 = IsDead(g, g.Late0, g.Late1, mark) ? default : g.Late0;
        g.Normalize();
    }

    private bool IsDead(in ModelGateway g, LateStep late, LateStep other, byte mark)
    {
        var session = late.OfOldSession ? g.Old : g.Current;
        if (late.Kind == StepKind.Enter)
        {
            return late.Token < mark || session.Status != SessionStatus.Alive;
        }

        var mayRegister = other.Kind == StepKind.Enter && other.OfOldSession == late.OfOldSession;
        var outdated = session.Sequence > late.Sequence && scope.Flaw != ModelFlaw.WithdrawsWithoutSequence;
        var pending = memories[g.Memory].Step == StepKind.Enter && !late.OfOldSession
            && scope.Flaw is ModelFlaw.WithdrawsWithoutSequence or ModelFlaw.WithdrawsDuringEnter;
        return late.Kind == StepKind.Withdraw && !mayRegister && !pending && (session.Registered == 0 || outdated);
    }

    private static void Clear(ref ModelGateway g, int slot)
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
