using System.Globalization;
using FenceGateway.Fencing;
using FenceGateway.Simulation.Kernel;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Quorum;
using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.Simulation.Parts;

/// <summary>
/// One of the independent masters of a quorum: does what the product's scripts do, in the form in which Redis answers
/// them, and a test holds it equal to a real one. What it answers is durable.
/// </summary>
internal sealed class SimulatedNode(SimulatedProcess process)
{
    private readonly Dictionary<string, Record> _sessions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Resource> _resources = new(StringComparer.Ordinal);

    public SimulatedProcess Process => process;

    /// <summary>Whoever is connected is told of changes.</summary>
    public List<Action<ResourceChange>> Told { get; } = [];

    public long MarkOf(string resource) => _resources.TryGetValue(resource, out var found) ? found.Mark : 0;

    public void Execute(RedisScript script, RedisValue[] arguments, Action<RedisResult> reply) =>
        process.Run(() => reply(Run(script, arguments)));

    /// <summary>Its data is gone, and it does not know that.</summary>
    public void Forget()
    {
        _sessions.Clear();
        _resources.Clear();
    }

    private static RedisResult Value(RedisValue value) => RedisResult.Create(value);

    private static RedisResult Values(IEnumerable<RedisValue> values) => RedisResult.Create([.. values.Select(Value)]);

    private static long Number(RedisValue digits) =>
        long.Parse((string)digits!, NumberStyles.None, CultureInfo.InvariantCulture);

    internal RedisResult Run(RedisScript script, RedisValue[] arguments) =>
        RedisResult.Create([.. Answer(script, arguments)]);

    private IEnumerable<RedisResult> Answer(RedisScript script, RedisValue[] a) =>
        script == NodeEnterScript.Script ? Enter(
            (string)a[2]!, Number(a[3]), Number(a[4]), Number(a[5]), (string)a[6]!,
            [.. a[10..].Select(s => (string)s!)])
        : script == NodeSessionScripts.StartScript ? [Value(_sessions.TryAdd((string)a[2]!, new Record('a', Number(a[3]), Number(a[5]))) ? 0 : 1)]
        : script == NodeSessionScripts.HeartbeatScript ? Beat((string)a[2]!, Number(a[5]))
        : script == NodeSessionScripts.EndScript ? End((string)a[2]!, ((string)a[3]!)[0], (string)a[4]!)
        : script == NodeMarkScripts.RaiseScript ? Raise((string)a[3]!, Number(a[2]), a[7] == "1")
        : script == NodeMarkScripts.RemoveScript ? Remove(
            a[4..].Chunk(2).Select(r => ((string)a[2]!, (string)r[0]!, Number(r[1]))))
        : script == NodeMarkScripts.WithdrawScript ? Remove(
            a[4..].Chunk(2).Select(r => ((string)r[0]!, (string)a[2]!, Number(r[1]))))
        : throw new NotSupportedException("The simulation does not know this script.");

    private List<RedisResult> Enter(
        string session, long token, long oldest, long sequence, string name, HashSet<string> gone)
    {
        if (!IsAlive(session, out var record))
        {
            return [Value(NodeScript.SessionLost)];
        }

        var resource = Find(name);
        var mark = resource.Mark;
        var isRegistered = resource.Writers.TryGetValue(session, out var own);
        if (token < mark || (isRegistered && own.Sequence > sequence))
        {
            return [Value(token < mark ? 2 : 3), Value(RedisKeys.Digits(mark))];
        }

        var (older, risen, told) = (false, false, false);
        List<RedisResult> answer = [Value(0), Value(RedisKeys.Digits(token))];
        foreach (var (other, writer) in resource.Writers.Where(w => w.Key != session).ToArray())
        {
            if (gone.Contains(other))
            {
                resource.Writers.Remove(other);
                told |= writer.Token < mark;
                continue;
            }

            answer.AddRange([Value(other), Value(writer.ToString()), Value(Text(other))]);
            older |= writer.Token < token;
            risen |= writer.Token < token && mark < token && IsAlive(other, out _);
        }

        var isAdmitted = oldest == token && !older;
        var stood = isRegistered && own.Token == token;
        resource.Mark = token;
        if (isAdmitted || oldest < token || stood)
        {
            resource.Writers[session] = new Writer(oldest, sequence, record.TimeToLive);
            told |= isRegistered && own.Token < mark && oldest > own.Token;
        }
        else if (resource.Writers.Remove(session))
        {
            told |= own.Token < mark;
        }

        if (told || risen)
        {
            Tell(name, isOnlyRisen: !told);
        }

        answer[0] = Value((isAdmitted ? 0 : 1) + (stood ? 4 : 0));
        return answer;
    }

    private RedisResult[] Beat(string session, long beat)
    {
        if (!IsAlive(session, out var record))
        {
            return [Value(NodeScript.SessionLost), Value(_sessions.ContainsKey(session) ? 1 : 0)];
        }

        _sessions[session] = record with { Beats = Math.Max(beat, record.Beats) };
        return
        [
            Value(0),
            Values(_resources.Where(r => r.Value.Writers.TryGetValue(session, out var own) && own.Token < r.Value.Mark)
                .SelectMany(r => (RedisValue[])[r.Key, RedisKeys.Digits(r.Value.Mark)])),
            Values(_sessions.SelectMany(s => (RedisValue[])[s.Key, s.Value.ToString()])),
        ];
    }

    private RedisResult[] End(string session, char life, string expected)
    {
        var isKnown = _sessions.TryGetValue(session, out var record);
        if (expected != "*"
            && expected != (isKnown ? string.Create(CultureInfo.InvariantCulture, $"{record.Life}{record.Beats}") : ""))
        {
            return [Value(1), Value(Text(session))];
        }

        if (!isKnown || record.Life != 'q')
        {
            _sessions[session] = isKnown ? record with { Life = life } : new Record(life, 1, 0);
            if (life == 'q')
            {
                foreach (var (name, _) in _resources
                    .Where(r => r.Value.Writers.TryGetValue(session, out var own) && own.Token < r.Value.Mark)
                    .ToArray())
                {
                    Tell(name);
                }
            }
        }

        return [Value(0)];
    }

    private RedisResult[] Raise(string name, long mark, bool always)
    {
        var resource = Find(name);
        if (resource.Mark > mark || (resource.Mark == mark && !always))
        {
            return [Value(0), Value(RedisKeys.Digits(resource.Mark))];
        }

        resource.Mark = mark;
        if (resource.Writers.Any(w => w.Value.Token < mark && IsAlive(w.Key, out _)))
        {
            Tell(name);
        }

        return [Value(0), Value(RedisKeys.Digits(mark))];
    }

    private RedisResult[] Remove(IEnumerable<(string Resource, string Session, long Sequence)> registrations)
    {
        foreach (var (name, session, sequence) in registrations)
        {
            var resource = Find(name);
            if (resource.Writers.TryGetValue(session, out var found) && found.Sequence <= sequence)
            {
                resource.Writers.Remove(session);
                if (found.Token < resource.Mark)
                {
                    Tell(name);
                }
            }
        }

        return [Value(0)];
    }

    private Resource Find(string name)
    {
        if (!_resources.TryGetValue(name, out var resource))
        {
            _resources.Add(name, resource = new Resource());
        }

        return resource;
    }

    private bool IsAlive(string session, out Record record) =>
        _sessions.TryGetValue(session, out record) && record.Life == 'a';

    private string Text(string session) => _sessions.TryGetValue(session, out var record) ? record.ToString() : "";

    private void Tell(string name, bool isOnlyRisen = false)
    {
        var key = ResourceKey.TryCreate(name, out var parsed)
            ? parsed
            : throw new ArgumentException("Not a resource key.", nameof(name));
        var change = new ResourceChange(key, _resources[name].Mark, isOnlyRisen);
        Told.ForEach(told => told(change));
    }

    private sealed class Resource
    {
        public long Mark { get; set; }

        public Dictionary<string, Writer> Writers { get; } = new(StringComparer.Ordinal);
    }

    private readonly record struct Record(char Life, long TimeToLive, long Beats)
    {
        public override string ToString() =>
            string.Create(CultureInfo.InvariantCulture, $"{Life}:{TimeToLive}:{Beats}");
    }

    private readonly record struct Writer(long Token, long Sequence, long TimeToLive)
    {
        public override string ToString() =>
            string.Create(CultureInfo.InvariantCulture, $"{Token:D19}:{Sequence:D19}:{TimeToLive}");
    }
}
