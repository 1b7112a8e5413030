using FenceGateway.Fencing;

namespace FenceGateway.TokenStore;

/// <summary>What is stored for one resource.</summary>
/// <param name="Resource">The resource.</param>
/// <param name="Mark">The highest token promised; 0 after an operator has reset it.</param>
/// <param name="AdvancedAt">When the mark was last changed, by the wall clock of the machine that did; for people only.</param>
/// <param name="Sequence">Grows with every change of any mark of the store; orders listings and continues them.</param>
/// <param name="LeftBehind">Whether a process that is gone may have left writes on their way: for the in-doubt hold, counted by
/// <see cref="ITokenStore.SinceCrash"/>, newer tokens wait.</param>
public readonly record struct MarkRecord(
    ResourceKey Resource, long Mark, DateTimeOffset AdvancedAt, long Sequence, bool LeftBehind = false);

/// <summary>Asks for a page of resources.</summary>
/// <param name="Prefix">Only keys that begin with it (ordinal); empty for all.</param>
/// <param name="Before">Only records whose <see cref="MarkRecord.Sequence"/> is lower; <see cref="long.MaxValue"/> for the first page.</param>
/// <param name="Limit">At most so many, 1 … 1000.</param>
public readonly record struct MarkQuery(string Prefix, long Before, int Limit);

/// <summary>An operator's change of a mark.</summary>
/// <param name="Resource">The resource; need not be known yet.</param>
/// <param name="Mark">The new mark, 0 … 2^63−1; 0 forgets every token seen.</param>
/// <param name="Reason">Why, in the operator's words; at most <see cref="MaxTextLength"/> characters.</param>
/// <param name="Actor">Who, as far as known; at most <see cref="MaxTextLength"/> characters.</param>
public sealed record SetMarkRequest(ResourceKey Resource, long Mark, string Reason, string Actor)
{
    /// <summary>The longest reason or actor, in characters.</summary>
    public const int MaxTextLength = 1024;
}
