using System.Diagnostics.CodeAnalysis;

namespace FenceGateway.TokenStore.Memory;

/// <summary>
/// The data of memory stores: several stores made with one of these share it, as gateways share a server. The pure
/// state machine of every resource, and the sessions, under one lock.
/// </summary>
public sealed class MemoryMarks
{
    /// <summary>Resources that may have a mark; a new one beyond that is refused.</summary>
    public const int DefaultMaxResources = 1_000_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<ResourceKey, MemoryResource> _resources = [];
    private readonly Dictionary<string, MemorySession> _sessions = new(StringComparer.Ordinal);
    private readonly TimeProvider _clock;
    private readonly int _maxResources;
    private MemoryTokenStore[] _stores = [];
    private long _sequence;

    /// <summary>Makes an empty one.</summary>
    /// <param name="clock">Says when sessions and holds end, and dates changes.</param>
    /// <param name="maxResources">Resources that may have a mark.</param>
    public MemoryMarks(TimeProvider clock, int maxResources = DefaultMaxResources)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxResources, 1);
        _clock = clock;
        _maxResources = maxResources;
    }

    internal void Attach(MemoryTokenStore store)
    {
        lock (_gate)
        {
            _stores = [.. _stores.Except([store]), store];
        }
    }

    internal void Detach(MemoryTokenStore store)
    {
        lock (_gate)
        {
            _stores = [.. _stores.Except([store])];
        }
    }

    internal void StartSession(string session, TimeSpan timeToLive)
    {
        lock (_gate)
        {
            var now = _clock.GetTimestamp();
            var old = _sessions.Where(
                s => s.Value.EndedBy(now) is { } end && _clock.GetElapsedTime(end, now) > EnterRequest.EndedIsKept)
                .Select(s => s.Key).ToArray();
            Array.ForEach(old, key => _sessions.Remove(key));
            _sessions.Add(session, new MemorySession(_clock, timeToLive));
        }
    }

    internal Heartbeat Beat(string session)
    {
        lock (_gate)
        {
            if (!IsAliveLocked(session, out var living))
            {
                return Heartbeat.Ended;
            }

            living.Prolong();
            return new Heartbeat(true, [.. living.Below.Take(Heartbeat.MaxRevoked).Select(key =>
                new ResourceChange(key, _resources[key].State.Mark))]);
        }
    }

    internal void EndSession(string session, bool isClean)
    {
        ResourceChange[] changes = [];
        lock (_gate)
        {
            if (isClean)
            {
                // A writer of a session that is not known counts for nothing.
                _sessions.Remove(session, out var quietOne);
                changes = [.. quietOne?.Below.Select(key => new ResourceChange(key, _resources[key].State.Mark)) ?? []];
            }
            else if (IsAliveLocked(session, out var ending))
            {
                ending.End();
            }
        }

        Notify(changes);
    }

    internal EnterReply Enter(in EnterRequest request)
    {
        EnterReply reply;
        bool notify;
        lock (_gate)
        {
            if (!IsAliveLocked(request.Session, out _))
            {
                throw TokenStoreUnavailableException.ForEndedSession(request.Session);
            }

            var resource = GetOrAddLocked(request.Resource);
            SettleLocked(resource);
            var state = resource.State;
            var before = state.Mark;
            var step = state.Enter(
                request.Session, request.Token.Value, request.Oldest.Value, request.Sequence,
                _clock.ToTicks(request.InDoubtHold), _clock.GetTimestamp());
            TouchLocked(resource, before);
            IndexLocked(resource, request.Session);
            notify = step.Notify;
            reply = new EnterReply(
                step.Status, new FencingToken(state.Mark), _clock.ToSpan(step.HeldFor), step.HeldElsewhere);
        }

        Notify(notify ? [new ResourceChange(request.Resource, reply.Mark.Value)] : []);

        return reply;
    }

    internal void Withdraw(string session, IReadOnlyList<Registration> registrations)
    {
        var changes = new List<ResourceChange>();
        lock (_gate)
        {
            foreach (var (key, sequence) in registrations)
            {
                if (_resources.TryGetValue(key, out var resource) && resource.State.Withdraw(session, sequence))
                {
                    IndexLocked(resource, session);
                    changes.Add(new ResourceChange(key, resource.State.Mark));
                }
            }
        }

        Notify(changes);
    }

    internal bool SetMark(SetMarkRequest request)
    {
        lock (_gate)
        {
            var resource = GetOrAddLocked(request.Resource);
            SettleLocked(resource);
            var before = resource.State.Mark;
            if (!resource.State.TrySetMark(
                    request.Session, request.Mark, _clock.ToTicks(request.InDoubtHold), _clock.GetTimestamp()))
            {
                return false;
            }

            IndexLocked(resource, request.Session);
            TouchLocked(resource, resource.Sequence == 0 ? -1 : before);
        }

        Notify([new ResourceChange(request.Resource, request.Mark)]);
        return true;
    }

    internal int Resolve(ResourceKey key)
    {
        int resolved;
        lock (_gate)
        {
            if (!_resources.TryGetValue(key, out var resource))
            {
                return 0;
            }

            SettleLocked(resource);
            resolved = resource.State.Resolve();
        }

        Notify(resolved > 0 ? [new ResourceChange(key, 0)] : []);

        return resolved;
    }

    internal MarkRecord? Find(ResourceKey key)
    {
        lock (_gate)
        {
            return _resources.TryGetValue(key, out var resource) ? ReadLocked(resource) : null;
        }
    }

    internal IReadOnlyList<MarkRecord> List(MarkQuery query)
    {
        lock (_gate)
        {
            return
            [
                .. _resources.Values
                    .Where(
                        r => r.Sequence < query.Before
                            && r.Key.Value.StartsWith(query.Prefix, StringComparison.Ordinal))
                    .OrderByDescending(r => r.Sequence)
                    .Take(query.Limit)
                    .Select(ReadLocked),
            ];
        }
    }

    internal long Count()
    {
        lock (_gate)
        {
            return _resources.Count;
        }
    }

    private bool IsAliveLocked(string session, [NotNullWhen(true)] out MemorySession? living)
    {
        living = _sessions.TryGetValue(session, out var known) && known.EndedBy(_clock.GetTimestamp()) is null
            ? known
            : null;
        return living is not null;
    }

    private MemoryResource GetOrAddLocked(ResourceKey key)
    {
        if (!_resources.TryGetValue(key, out var resource))
        {
            if (_resources.Count >= _maxResources)
            {
                throw TokenStoreUnavailableException.NothingTaken(
                    $"The token store is full: {_maxResources} resources have a mark.");
            }

            // It gets a mark in the same step: what is refused above is refused for known resources only.
            _resources.Add(key, resource = new MemoryResource(key));
        }

        return resource;
    }

    /// <summary>Tells the resource which of its writers' sessions have ended meanwhile.</summary>
    private void SettleLocked(MemoryResource resource)
    {
        var now = _clock.GetTimestamp();
        foreach (var session in resource.State.Writers.Where(w => w.EndedAt is null).Select(w => w.Session).ToArray())
        {
            if (!_sessions.TryGetValue(session, out var known))
            {
                resource.State.Withdraw(session, long.MaxValue);
            }
            else if (known.EndedBy(now) is { } end)
            {
                resource.State.End(session, end);
            }
        }
    }

    private void TouchLocked(MemoryResource resource, long before)
    {
        foreach (var writer in resource.State.Writers)
        {
            IndexLocked(resource, writer.Session);
        }

        if (resource.State.Mark != before)
        {
            resource.Sequence = ++_sequence;
            resource.ChangedAt = _clock.GetUtcNow();
        }
    }

    /// <summary>Keeps what the next heartbeat has to tell.</summary>
    private void IndexLocked(MemoryResource resource, string session)
    {
        if (!_sessions.TryGetValue(session, out var known))
        {
            return;
        }

        var isBelow = resource.State.Writers.Any(w => w.Session == session && w.Token < resource.State.Mark);
        _ = isBelow ? known.Below.Add(resource.Key) : known.Below.Remove(resource.Key);
    }

    private MarkRecord ReadLocked(MemoryResource resource)
    {
        SettleLocked(resource);
        return resource.Read(_clock);
    }

    private void Notify(IReadOnlyList<ResourceChange> changes)
    {
        foreach (var store in Volatile.Read(ref _stores))
        {
            foreach (var change in changes)
            {
                store.Tell(change);
            }
        }
    }
}
