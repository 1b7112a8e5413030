using FenceGateway.TokenStore.Quorum;

namespace FenceGateway.TokenStore.Tests.Quorum.Simulation;

/// <summary>One question to some nodes, message by message.</summary>
internal sealed class SimulatedRound(
    QuorumWorld world, long generation, IEnumerable<int> nodes, Func<NodeModel, object?> ask)
{
    private readonly List<int> _queued = [.. nodes];
    private readonly List<(int Node, object? Answer)> _answering = [];

    public Dictionary<int, object?> Answers { get; } = [];

    /// <summary>A node was resynchronised: nothing of this counts.</summary>
    public long LaterGeneration { get; private set; }

    public bool IsOver { get; private set; }

    public long Generation => generation;

    public void Step()
    {
        var choice = world.Random.Next(100);
        if (_queued.Count > 0 && choice < 55)
        {
            var at = world.Random.Next(_queued.Count);
            var node = _queued[at];
            _queued.RemoveAt(at);
            var fate = world.Random.Next(100);
            if (fate >= 2 * world.Loss)
            {
                _answering.Add((node, Carry(node)));
                if (fate >= 98)
                {
                    // Once more, later.
                    world.Leave(() => Carry(node));
                }
            }
            else if (fate >= world.Loss)
            {
                world.Leave(() => Carry(node));
            }
        }
        else if (_answering.Count > 0 && choice < 97)
        {
            var at = world.Random.Next(_answering.Count);
            var (node, answer) = _answering[at];
            _answering.RemoveAt(at);
            if (world.Random.Next(100) >= world.Loss)
            {
                Answers[node] = answer;
            }
        }
        else if (_queued.Count + _answering.Count == 0 || choice >= 99)
        {
            // Given up: what is in flight still arrives, or not.
            IsOver = true;
            foreach (var node in _queued)
            {
                world.Leave(() => Carry(node));
            }
        }
    }

    private object? Carry(int index)
    {
        var node = world.Nodes[index];
        if (node.Refusal(generation) is not { } refusal)
        {
            return ask(node);
        }

        LaterGeneration = refusal == NodeScript.Outdated ? Math.Max(LaterGeneration, node.Generation) : LaterGeneration;
        return refusal;
    }
}
