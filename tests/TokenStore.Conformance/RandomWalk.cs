using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Conformance;

/// <summary>
/// Random operations, each carried out at the store and at <see cref="ResourceState"/>, which have to answer and to end
/// up alike. An ended session holds either for good or not at all, so that no clock matters.
/// </summary>
internal sealed class RandomWalk(IReadOnlyList<ConformanceGateway> gateways, Random random, Func<Task> settle)
{
    private const int Keys = 4;
    private const long Now = 0;

    private readonly Dictionary<string, ResourceState> _states = new(StringComparer.Ordinal);
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly List<(ConformanceGateway Gateway, string Session)> _ended = [];
    private readonly Queue<string> _last = new();

    public async Task StepAsync(bool oneSession)
    {
        var gateway = gateways[random.Next(gateways.Count)];
        var key = $"r/{random.Next(Keys)}";
        try
        {
            await (random.Next(100) switch
            {
                < 5 => SetMarkAsync(gateway, key),
                < 25 => WithdrawAsync(gateway),
                < 33 => HeartbeatAsync(gateway),
                < 37 when !oneSession => ResolveAsync(gateway, key),
                < 41 when !oneSession => EndSessionAsync(gateway),
                < 45 when !oneSession && _ended.Count > 0 => WithdrawEndedAsync(),
                _ => EnterAsync(gateway, key, mayBeLate: !oneSession),
            });
            await settle();
            await ExpectRecordAsync(gateways[random.Next(gateways.Count)], key, writers: !oneSession);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message}\nThe last operations:\n{string.Join('\n', _last)}", e);
        }
    }

    public async Task ExpectListingAsync()
    {
        var store = gateways[0].Store;
        (await store.ListAsync(new MarkQuery("", long.MaxValue, MarkQuery.MaxLimit), default))
            .ToDictionary(r => r.Resource.Value, r => r.Mark, StringComparer.Ordinal)
            .ShouldBe(
                _known.ToDictionary(key => key, key => State(key).Mark, StringComparer.Ordinal), ignoreOrder: true);
        (await store.CountAsync(default)).ShouldBe(_known.Count);
    }

    private async Task EnterAsync(ConformanceGateway gateway, string key, bool mayBeLate)
    {
        var state = State(key);
        var token = Math.Max(1, state.Mark + random.Next(-1, 3));
        var oldest = Math.Max(1, token - Math.Max(0, random.Next(-2, 3)));
        var late = mayBeLate && gateway.Sequence > 0 && random.Next(8) == 0;
        var (hold, ticks) = Hold();
        var request = gateway.Request(key, token, oldest, hold, late ? 1 + random.NextInt64(gateway.Sequence) : null);
        Note($"{Name(gateway)} enters {key} {token} oldest {oldest} sequence {request.Sequence} hold {hold}");

        var step = state.Enter(gateway.Session, token, oldest, request.Sequence, ticks, Now);
        var reply = await gateway.Store.EnterAsync(request, default);
        (reply.Status, reply.Mark.Value, reply.HeldElsewhere, reply.RetryAfter > TimeSpan.Zero)
            .ShouldBe((step.Status, state.Mark, step.HeldElsewhere, step.HeldFor > 0));
        _known.Add(key);
    }

    private async Task WithdrawAsync(ConformanceGateway gateway)
    {
        var registrations = Enumerable.Range(0, Keys).Where(_ => random.Next(2) == 0).Select(i => $"r/{i}")
            .Select(key => new Registration(ConformanceGateway.Key(key), Sequence(gateway.Session, key, gateway.Sequence))).ToArray();
        if (registrations.Length > 0)
        {
            await WithdrawAsync(gateway, gateway.Session, registrations);
        }
    }

    private Task WithdrawEndedAsync()
    {
        var (gateway, session) = _ended[random.Next(_ended.Count)];
        var key = $"r/{random.Next(Keys)}";
        var registration = new Registration(ConformanceGateway.Key(key), Sequence(session, key, gateway.Sequence));
        return WithdrawAsync(gateway, session, [registration]);
    }

    private async Task WithdrawAsync(ConformanceGateway gateway, string session, Registration[] registrations)
    {
        Note($"{Name(gateway)} withdraws {session} {string.Join(' ', registrations)}");
        foreach (var registration in registrations)
        {
            State(registration.Resource.Value).Withdraw(session, registration.Sequence);
        }

        await gateway.Store.WithdrawAsync(session, registrations, default);
    }

    private async Task HeartbeatAsync(ConformanceGateway gateway)
    {
        Note($"{Name(gateway)} is alive");
        var heartbeat = await gateway.HeartbeatAsync();
        heartbeat.Alive.ShouldBeTrue();
        if (gateways.Count > 1)
        {
            heartbeat.Revoked.Select(r => r.Resource.Value).Order(StringComparer.Ordinal).ShouldBe(
                _states.Where(s => s.Value.Writers.Any(w => w.Session == gateway.Session && w.Token < s.Value.Mark))
                    .Select(s => s.Key).Order(StringComparer.Ordinal));
        }
    }

    private async Task EndSessionAsync(ConformanceGateway gateway)
    {
        var isClean = random.Next(2) == 0;
        var session = gateway.Session;
        Note($"{Name(gateway)} ends {session} isClean {isClean}");
        foreach (var state in _states.Values)
        {
            if (isClean)
            {
                state.Withdraw(session, long.MaxValue);
            }
            else
            {
                state.End(session, Now);
            }
        }

        await gateway.EndSessionAsync(isClean);
        _ended.Add((gateway, session));
        await gateway.StartSessionAsync();
    }

    private async Task ResolveAsync(ConformanceGateway gateway, string key)
    {
        Note($"{Name(gateway)} resolves {key}");
        (await gateway.ResolveAsync(key)).ShouldBe(State(key).Resolve());
    }

    private async Task SetMarkAsync(ConformanceGateway gateway, string key)
    {
        var state = State(key);
        var mark = Math.Max(0, state.Mark + random.Next(-3, 4));
        var (hold, ticks) = Hold();
        Note($"{Name(gateway)} sets {key} {mark} hold {hold}");
        var set = state.TrySetMark(gateway.Session, mark, ticks, Now);
        (await gateway.SetMarkAsync(key, mark, hold)).ShouldBe(set);
        if (set)
        {
            _known.Add(key);
        }
    }

    private async Task ExpectRecordAsync(ConformanceGateway gateway, string key, bool writers)
    {
        var record = await gateway.FindAsync(key);
        if (record is null)
        {
            _known.ShouldNotContain(key);
            return;
        }

        var state = State(key);
        record.Value.Mark.ShouldBe(state.Mark);
        if (writers)
        {
            record.Value.Writers.Select(w => (w.Session, w.Token.Value, w.EndedFor is null)).ShouldBe(
                state.Writers.Select(w => (w.Session, w.Token, w.EndedAt is null)), ignoreOrder: true);
        }
    }

    /// <summary>The gateway's latest sequence, the one registered, or one less.</summary>
    private long Sequence(string session, string key, long latest)
    {
        var registered = State(key).Writers.Where(w => w.Session == session).Select(w => w.Sequence).FirstOrDefault(
            latest);
        return random.Next(4) switch
        {
            0 => registered,
            1 => Math.Max(0, registered - 1),
            _ => latest,
        };
    }

    private (TimeSpan Hold, long Ticks) Hold() =>
        random.Next(4) == 0 ? (TimeSpan.Zero, 0) : (ConformanceGateway.LongHold, 1);

    private ResourceState State(string key) =>
        _states.TryGetValue(key, out var state) ? state : _states[key] = new ResourceState();

    private string Name(ConformanceGateway gateway) =>
        $"{(char)('A' + gateways.ToList().IndexOf(gateway))} ({gateway.Session[..4]})";

    private void Note(string operation)
    {
        _last.Enqueue(operation);
        if (_last.Count > 25)
        {
            _last.Dequeue();
        }
    }
}
