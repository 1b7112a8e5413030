using FenceGateway.Simulation.Kernel;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Quorum;

namespace FenceGateway.Simulation.Parts;

/// <summary>A shared store that is a majority of three nodes.</summary>
internal sealed class SimulatedQuorum(IReadOnlyList<SimulatedNode> nodes, Random random, Flaw flaw) : ISharedStore
{
    public int Nodes => nodes.Count;

    public ITokenStore Connect(GatewayPlace place, SimulatedProcess process) =>
        new QuorumLink(nodes, place.ToStore.Links, process);

    /// <summary>What is at a majority is never lower again.</summary>
    public long DurableMark(string resource) =>
        nodes.Select(node => node.MarkOf(resource)).OrderDescending().ElementAt(
            QuorumDecision.Majority(nodes.Count) - 1);

    public void Stop()
    {
        foreach (var node in nodes.Where(_ => random.Next(2) == 0))
        {
            node.Process.Stop(isSuspended: false);
        }
    }

    public void Resume()
    {
        foreach (var node in nodes)
        {
            node.Process.Resume();
        }
    }

    public void Crash()
    {
        if (flaw == Flaw.NodeForgets)
        {
            random.Of(nodes).Forget();
        }
    }
}
