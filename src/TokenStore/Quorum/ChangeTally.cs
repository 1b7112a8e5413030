namespace FenceGateway.TokenStore.Quorum;

/// <summary>
/// Counts which nodes have told of a change, so that it is told on once a majority has: its mark is durable then. What
/// too few tell is left to the heartbeats.
/// </summary>
internal sealed class ChangeTally(int nodes)
{
    /// <summary>At the bound everything is forgotten; heartbeats and polls are underneath.</summary>
    private const int Capacity = 8192;

    private readonly Lock _gate = new();
    private readonly Dictionary<ResourceChange, int> _tellers = [];

    /// <summary>Whether that makes a majority, just now.</summary>
    public bool Tell(int node, ResourceChange change)
    {
        lock (_gate)
        {
            if (_tellers.Count >= Capacity)
            {
                _tellers.Clear();
            }

            var before = _tellers.GetValueOrDefault(change);
            var bit = 1 << node;

            // A node that tells the same again begins another round; a round is over when all have told.
            var tellers = (before & bit) == 0 ? before | bit : bit;
            var count = int.PopCount(tellers);
            if (count == nodes)
            {
                _tellers.Remove(change);
            }
            else
            {
                _tellers[change] = tellers;
            }

            return count == QuorumDecision.Majority(nodes);
        }
    }
}
