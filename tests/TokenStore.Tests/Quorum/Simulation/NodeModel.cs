using FenceGateway.TokenStore.Quorum;

namespace FenceGateway.TokenStore.Tests.Quorum.Simulation;

/// <summary>
/// One node as a pure state machine, with one resource: what the scripts do, told once more. Held equal to them by
/// <see cref="NodeModelTests"/>.
/// </summary>
internal sealed class NodeModel
{
    public static readonly TimeSpan TimeToLive = TimeSpan.FromTicks(40);

    /// <summary>False for a node that has lost its data: it abstains.</summary>
    public bool Serves { get; set; } = true;

    public long Generation { get; set; } = 1;

    /// <summary>Who resynchronises it.</summary>
    public string? Claim { get; set; }

    public long Mark { get; private set; }

    public Dictionary<string, (long Token, long Sequence)> Writers { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, SessionSight> Sessions { get; } = new(StringComparer.Ordinal);

    /// <summary>What every script looks at first: null to go on, else the code of the refusal.</summary>
    public int? Refusal(long generation)
    {
        if (!Serves || generation < Generation)
        {
            return Serves ? NodeScript.Outdated : NodeScript.Abstains;
        }

        Generation = generation;
        return null;
    }

    public void Forget()
    {
        (Serves, Mark, Claim, Generation) = (false, 0, null, 0);
        Writers.Clear();
        Sessions.Clear();
    }

    public NodeEnter Enter(string session, long token, long oldest, long sequence, IReadOnlySet<string> gone)
    {
        if (Sight(session).Life != SessionLife.Alive)
        {
            return NodeEnter.Lost;
        }

        var registered = Writers.TryGetValue(session, out var own);
        if (token < Mark)
        {
            return new NodeEnter(NodeEnterStatus.Stale, Mark, []);
        }

        if (registered && own.Sequence > sequence)
        {
            return new NodeEnter(NodeEnterStatus.Overtaken, Mark, []);
        }

        foreach (var writer in Writers.Keys.Where(w => w != session && gone.Contains(w)).ToArray())
        {
            Writers.Remove(writer);
        }

        NodeWriter[] others =
        [
            .. Writers.Where(w => w.Key != session)
                .Select(w => new NodeWriter(w.Key, w.Value.Token, w.Value.Sequence, TimeToLive, Sight(w.Key))),
        ];
        var admitted = oldest == token && !Array.Exists(others, w => w.Token < token);
        var had = registered && own.Token == token;
        Mark = token;
        if (admitted || oldest < token || had)
        {
            Writers[session] = (oldest, sequence);
        }
        else
        {
            Writers.Remove(session);
        }

        return new NodeEnter(admitted ? NodeEnterStatus.Accepted : NodeEnterStatus.Held, Mark, others, had);
    }

    public void Withdraw(string session, long sequence)
    {
        if (Writers.TryGetValue(session, out var own) && own.Sequence <= sequence)
        {
            Writers.Remove(session);
        }
    }

    public void Raise(long mark) => Mark = Math.Max(Mark, mark);

    public bool Start(string session, long beat) => Sessions.TryAdd(session, new SessionSight(SessionLife.Alive, beat));

    public bool Beat(string session, long beat)
    {
        var sight = Sight(session);
        if (sight.Life != SessionLife.Alive)
        {
            return false;
        }

        Sessions[session] = sight with { Beats = Math.Max(sight.Beats, beat) };
        return true;
    }

    /// <summary>Ends a session, if it is as expected; null for in any case.</summary>
    public bool End(string session, SessionSight? expected)
    {
        var sight = Sight(session);
        if (expected is { } must && must != sight)
        {
            return false;
        }

        Sessions[session] = sight with { Life = SessionLife.Ended };
        return true;
    }

    /// <summary>What the resynchronisation merges into a node that abstains.</summary>
    public void Merge(NodeModel source)
    {
        Mark = Math.Max(Mark, source.Mark);
        foreach (var (session, writer) in source.Writers)
        {
            if (!Writers.TryGetValue(session, out var mine) || mine.Sequence < writer.Sequence)
            {
                Writers[session] = writer;
            }
        }

        foreach (var (session, sight) in source.Sessions)
        {
            var mine = Sight(session);
            if (sight.Life > mine.Life || (sight.Life == mine.Life && sight.Beats > mine.Beats))
            {
                Sessions[session] = sight;
            }
        }
    }

    public SessionSight Sight(string session) => Sessions.GetValueOrDefault(session);
}
