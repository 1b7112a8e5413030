using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>
/// Counts which nodes have told of a mark, so that it is told on once a majority has: it is durable then. What too few tell is left to
/// the heartbeats.
/// </summary>
internal sealed class ChangeTally(int nodes)
{
    /// <summary>At the bound everything is forgotten; heartbeats and polls are underneath.</summary>
    private const int Capacity = 8192;

    private readonly Lock _gate = new();
    private readonly Dictionary<ResourceKey, (long Mark, int Nodes)> _told = [];

    /// <summary>Whether that makes a majority.</summary>
    public bool Tell(int node, ResourceKey resource, long mark)
    {
        lock (_gate)
        {
            if (_told.Count >= Capacity)
            {
                _told.Clear();
            }

            var (known, tellers) = _told.GetValueOrDefault(resource);
            tellers = known == mark ? tellers | (1 << node) : 1 << node;
            var confirmed = int.PopCount(tellers) >= QuorumDecision.Majority(nodes);
            if (confirmed)
            {
                _told.Remove(resource);
            }
            else if (mark >= known)
            {
                _told[resource] = (mark, tellers);
            }

            return confirmed;
        }
    }
}
