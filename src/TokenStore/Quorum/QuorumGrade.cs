namespace FenceGateway.TokenStore.Quorum;

/// <summary>What a quorum promises: Strict when no node that could be asked can lose what it has answered.</summary>
internal static class QuorumGrade
{
    public static TokenStoreInfo Of(IReadOnlyCollection<QuorumNode> nodes, string location)
    {
        string[] reasons =
        [
            .. nodes.SelectMany(
                static node => node.Facts?.Grade().Reasons.Select(reason => $"Node {node.Location}: {reason}") ?? []),
        ];
        var asked = nodes.Count(static node => node.Facts is not null);
        var isStrict = reasons.Length == 0 && asked >= QuorumDecision.Majority(nodes.Count);
        return new TokenStoreInfo("Quorum", isStrict ? SafetyGrade.Strict : SafetyGrade.BestEffort, location, reasons);
    }
}
