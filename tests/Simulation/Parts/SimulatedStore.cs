using FenceGateway.Fencing;
using FenceGateway.Simulation.Kernel;
using FenceGateway.TokenStore;

namespace FenceGateway.Simulation.Parts;

/// <summary>
/// A shared token store: the pure state machine of each resource, the sessions, and a log that is durable a little
/// later. It answers when what it answers is durable, tells of a change at once, and loses in a crash what was not
/// durable yet.
/// </summary>
internal sealed class SimulatedStore : ISharedStore
{
    /// <summary>
    /// So many changes are lost in a crash, besides those that nobody was answered, where the grade allows it.
    /// </summary>
    private const int Forgettable = 30;

    private static readonly TimeSpan LongestCommit = TimeSpan.FromMilliseconds(20);

    private readonly Dictionary<string, Session> _sessions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ResourceState> _resources = new(StringComparer.Ordinal);
    private readonly List<(long DurableAt, Action Undo)> _log = [];
    private readonly Dictionary<string, long> _durable = new(StringComparer.Ordinal);
    private readonly TimeSpan _commit;
    private readonly Scheduler _scheduler;
    private readonly Random _random;
    private readonly Flaw _flaw;
    private readonly bool _forgets;
    private Action? _proven;
    private long _lastDurable;
    private int _crashes;

    /// <param name="process">Where it runs.</param>
    /// <param name="scheduler">Of the run.</param>
    /// <param name="random">Of the run.</param>
    /// <param name="flaw">What is broken.</param>
    /// <param name="forgets">Whether a crash may lower a mark: a store of grade
    /// <see cref="SafetyGrade.BestEffort"/>.</param>
    public SimulatedStore(SimulatedProcess process, Scheduler scheduler, Random random, Flaw flaw, bool forgets)
    {
        (Process, _scheduler, _random, _flaw) = (process, scheduler, random, flaw);
        Info = new TokenStoreInfo("Simulated", forgets ? SafetyGrade.BestEffort : SafetyGrade.Strict, "this run");
        _commit = random.NextDouble() * LongestCommit;
        _forgets = forgets || flaw == Flaw.AnswersTooEarly;
    }

    public SimulatedProcess Process { get; }

    public int Nodes => 1;

    public TokenStoreInfo Info { get; }

    /// <summary>Whoever is connected is told of changes.</summary>
    public List<Action<ResourceChange>> Told { get; } = [];

    private long Now => Process.Clock.GetTimestamp();

    public ITokenStore Connect(GatewayPlace place, SimulatedProcess process) =>
        new StoreLink(this, place.ToStore.Links[0], process, _flaw);

    public void Stop() => Process.Stop(isSuspended: false);

    public void Resume() => Process.Resume();

    public long DurableMark(string resource) => _durable.GetValueOrDefault(resource);

    /// <summary>Carries out what has arrived, and answers when that is durable.</summary>
    public void Execute<T>(
        Func<SimulatedStore, T> operation, Action<T?, TokenStoreUnavailableException?> reply) => Process.Run(() =>
    {
        var (before, crashes) = (_log.Count, _crashes);
        T? result = default;
        TokenStoreUnavailableException? refusal = null;
        try
        {
            result = operation(this);
        }
        catch (TokenStoreUnavailableException e)
        {
            refusal = e;
        }

        var proven = _proven;
        _proven = null;
        _lastDurable = Math.Max(_lastDurable, _scheduler.Now + (_random.NextDouble() * _commit).Ticks);
        for (var i = before; i < _log.Count; i++)
        {
            _log[i] = (_lastDurable, _log[i].Undo);
        }

        if (_log.Count > 64 && _log[32].DurableAt <= _scheduler.Now)
        {
            _log.RemoveRange(0, 32);
        }

        _scheduler.At(_lastDurable, () =>
        {
            if (crashes == _crashes)
            {
                proven?.Invoke();
                reply(result, refusal);
            }
        });
    });

    /// <summary>
    /// The process dies and comes back with what was durable. Whoever was not answered never will be.
    /// </summary>
    public void Crash()
    {
        _crashes++;
        var kept = _forgets ? Forgettable : 0;
        while (_log.Count > 0 && (_log[^1].DurableAt > _scheduler.Now || kept-- > 0))
        {
            _log[^1].Undo();
            _log.RemoveAt(_log.Count - 1);
        }
    }

    public TimeSpan StartSession(string name, TimeSpan timeToLive)
    {
        if (!_sessions.ContainsKey(name))
        {
            _sessions.Add(name, new Session(timeToLive, Now + timeToLive.Ticks, EndedAt: null));
            Log(() => _sessions.Remove(name));
        }

        return _flaw == Flaw.SessionTooLong ? timeToLive * 3 : timeToLive;
    }

    public Heartbeat Beat(string name)
    {
        if (!IsAlive(name, out var session))
        {
            return Heartbeat.Ended;
        }

        Set(name, session with { Until = Now + session.TimeToLive.Ticks });
        return new Heartbeat(true,
        [
            .. _resources.Where(r => r.Value.Writers.Any(w => w.Session == name && w.Token < r.Value.Mark))
                .Select(r => new ResourceChange(Key(r.Key), r.Value.Mark)),
        ]);
    }

    public bool EndSession(string name, bool isClean)
    {
        if (isClean)
        {
            foreach (var key in _resources.Keys.ToArray())
            {
                Withdraw(key, name, long.MaxValue);
            }
        }

        if (IsAlive(name, out var session))
        {
            Set(name, session with { EndedAt = Now });
        }

        return true;
    }

    public EnterReply Enter(EnterRequest request)
    {
        if (!IsAlive(request.Session, out _))
        {
            throw TokenStoreUnavailableException.ForEndedSession(request.Session);
        }

        var key = request.Resource.Value;
        var state = Change(key);
        if (_flaw == Flaw.TwoSteps && request.Token.Value < state.Mark && _random.Chance(0.5))
        {
            // It was not stale when it was looked at.
            _resources[key] = state = ResourceState.Restore(request.Token.Value, state.Writers);
        }

        _proven = () => _durable[key] = Math.Max(state.Mark, DurableMark(key));
        var step = state.Enter(
            request.Session, request.Token.Value, request.Oldest.Value, request.Sequence, request.InDoubtHold.Ticks,
            Now);
        if (step.Notify)
        {
            Tell(new ResourceChange(request.Resource, state.Mark));
        }

        return new EnterReply(
            step.Status, new FencingToken(state.Mark), TimeSpan.FromTicks(step.HeldFor), step.HeldElsewhere);
    }

    public bool Withdraw(string session, IReadOnlyList<Registration> registrations)
    {
        foreach (var (key, sequence) in registrations)
        {
            Withdraw(key.Value, session, sequence);
        }

        return true;
    }

    private static ResourceKey Key(string text) =>
        ResourceKey.TryCreate(text, out var key)
            ? key
            : throw new ArgumentException("Not a resource key.", nameof(text));

    private void Withdraw(string key, string session, long sequence)
    {
        if (Change(key) is var state && state.Withdraw(session, sequence))
        {
            Tell(new ResourceChange(Key(key), state.Mark));
        }
    }

    /// <summary>The state of a resource, about to be changed; sessions that are over by now have ended in it.</summary>
    private ResourceState Change(string key)
    {
        if (!_resources.TryGetValue(key, out var state))
        {
            _resources.Add(key, state = new ResourceState());
        }

        var (mark, writers) = (state.Mark, state.Writers.ToArray());
        Log(() => _resources[key] = ResourceState.Restore(mark, writers));
        foreach (var writer in writers)
        {
            if (!IsAlive(writer.Session, out var session))
            {
                state.End(writer.Session, session.EndedAt ?? session.Until);
            }
        }

        return state;
    }

    private bool IsAlive(string name, out Session session) =>
        _sessions.TryGetValue(name, out session) && session.EndedAt is null && Now < session.Until;

    private void Set(string name, Session session)
    {
        var before = _sessions[name];
        _sessions[name] = session;
        Log(() => _sessions[name] = before);
    }

    private void Log(Action undo) => _log.Add((long.MaxValue, undo));

    private void Tell(ResourceChange change) => Told.ForEach(told => told(change));

    private readonly record struct Session(TimeSpan TimeToLive, long Until, long? EndedAt);
}
