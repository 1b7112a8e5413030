namespace FenceGateway.TestKit;

/// <summary>A rule that a history breaks.</summary>
/// <param name="Rule">An invariant or rule of docs/protocol.md: <c>I1</c> to <c>I9</c>, <c>R9</c>, <c>R10</c>.</param>
/// <param name="Resource">Where.</param>
/// <param name="Explanation">Which events, and why they cannot both be.</param>
public sealed record HistoryViolation(string Rule, string Resource, string Explanation)
{
    public override string ToString() => $"{Rule} on {Resource}: {Explanation}";
}
