using FenceGateway.TokenStore.Quorum;

namespace FenceGateway.TokenStore.Tests.Quorum.Simulation;

/// <summary>What is left out of the protocol, to see that it is missed.</summary>
internal enum Flaw
{
    None,

    /// <summary>A node that lost its data counts at once.</summary>
    NoAbstaining,

    /// <summary>One node fewer than a majority is enough to admit.</summary>
    Minority,

    /// <summary>A session is ended without waiting for its time to live.</summary>
    NoWaitForSession,

    /// <summary>A higher mark that one node knows is answered without being put at a majority.</summary>
    NoWriteBack,

    /// <summary>
    /// A step in the name of a session that has just ended does not tell of what the session left in doubt.
    /// </summary>
    DoubtForgotten,
}

/// <summary>
/// Gateways, nodes and the network between them in one thread, driven by random numbers: messages are carried out late,
/// twice over or not at all, answers are lost, sessions stand still, nodes lose everything and are resynchronised. One
/// resource.
/// </summary>
internal sealed class QuorumWorld(int nodeCount, int gateways, Flaw flaw, Random random)
{
    public const long Hold = 25;

    private readonly List<Action> _late = [];
    private readonly List<(long Token, long Until)> _inDoubt = [];
    private SimulatedGateway[] _gateways = [];
    private long _highestWritten;

    public StepClock Clock { get; } = new();

    public NodeModel[] Nodes { get; } = [.. Enumerable.Range(0, nodeCount).Select(_ => new NodeModel())];

    public int Majority => QuorumDecision.Majority(nodeCount);

    public Flaw Flaw => flaw;

    public Random Random => random;

    /// <summary>Of a hundred messages so many are lost, as many again are late, and so many answers are lost.</summary>
    public int Loss { get; } = random.Next(1, 25);

    /// <summary>The highest mark that anybody was told.</summary>
    public long Answered { get; set; }

    public long Admissions { get; private set; }

    public long Steps { get; private set; }

    public int Resyncs { get; set; }

    /// <summary>
    /// Registrations that were removed because a later step of their session had moved them up elsewhere.
    /// </summary>
    public int Superseded { get; set; }

    public int Losses { get; private set; }

    public void Run(long steps)
    {
        _gateways = [.. Enumerable.Range(0, gateways).Select(i => new SimulatedGateway(this, $"g{i}"))];
        for (Steps = 0; Steps < steps; Steps++)
        {
            Step();
        }
    }

    /// <summary>
    /// A write goes to the service: no other token may be in flight, none older may follow a newer one.
    /// </summary>
    public void Begin(long token)
    {
        Admissions++;
        if (token < _highestWritten)
        {
            throw new InvalidOperationException($"I1: {token} is admitted after {_highestWritten}");
        }

        _highestWritten = token;
        foreach (var other in _gateways.SelectMany(static g => g.Writes)
            .Concat(_inDoubt.Where(w => w.Until > Clock.Now).Select(static w => w.Token)))
        {
            if (other != token)
            {
                throw new InvalidOperationException($"I3: {token} is admitted while {other} may be in flight");
            }
        }
    }

    /// <summary>What is in flight when a session ends may be applied for so long.</summary>
    public void Doubt(IEnumerable<long> writes, long until)
    {
        _inDoubt.RemoveAll(w => w.Until <= Clock.Now);
        _inDoubt.AddRange(writes.Select(token => (token, until)));
    }

    /// <summary>A message that nobody waits for any more.</summary>
    public void Leave(Action message)
    {
        if (_late.Count < 50)
        {
            _late.Add(message);
        }
    }

    private void Step()
    {
        var choice = random.Next(1000);
        if (choice < 60)
        {
            Clock.Now++;
        }
        else if (choice < 80 && _late.Count > 0)
        {
            var at = random.Next(_late.Count);
            _late[at]();
            _late.RemoveAt(at);
        }
        else if (choice < 82)
        {
            Lose(Nodes[random.Next(nodeCount)]);
        }
        else
        {
            _gateways[random.Next(gateways)].Step();
        }
    }

    /// <summary>As many as the quorum is made for lose their data at once, no more.</summary>
    private void Lose(NodeModel node)
    {
        if (random.Next(10) == 0 && Nodes.Count(n => !n.Serves || n == node) <= QuorumDecision.MayMiss(nodeCount))
        {
            node.Forget();
            Losses++;
            if (flaw == Flaw.NoAbstaining)
            {
                (node.Serves, node.Generation) = (true, 1);
            }
        }
    }
}

/// <summary>A monotonic clock that stands still between the steps.</summary>
internal sealed class StepClock : TimeProvider
{
    public long Now { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Now;
}
