namespace FenceGateway.TokenStore;

/// <summary>What is stored for one resource.</summary>
/// <param name="Resource">The resource.</param>
/// <param name="Mark">The highest token promised; 0 after an operator has reset it.</param>
/// <param name="AdvancedAt">When the mark was last changed, by a wall clock; for people only.</param>
/// <param name="Sequence">Grows with every change of any mark of the store; orders listings and continues them.</param>
/// <param name="Writers">Who may have writes in flight.</param>
public readonly record struct MarkRecord(
    ResourceKey Resource, long Mark, DateTimeOffset AdvancedAt, long Sequence, IReadOnlyList<WriterRecord> Writers);

/// <summary>A session that may have writes in flight to a resource.</summary>
/// <param name="Session">Its name.</param>
/// <param name="Token">The lowest token of these writes.</param>
/// <param name="EndedFor">How long ago the session ended, as far as this gateway can tell; null while it lives.</param>
public readonly record struct WriterRecord(string Session, FencingToken Token, TimeSpan? EndedFor);

/// <summary>
/// Asks for a page of resources; one with fewer than asked for is the last. A resource that advances meanwhile goes to
/// the front, past a walk that goes down: who wants all of them reads what has advanced since the walk began as well.
/// </summary>
/// <param name="Prefix">Only keys that begin with it (ordinal); empty for all.</param>
/// <param name="Before">Only records whose <see cref="MarkRecord.Sequence"/> is lower; <see cref="long.MaxValue"/> for
/// the first page.</param>
/// <param name="Limit">At most so many, 1 … <see cref="MaxLimit"/>.</param>
public readonly record struct MarkQuery(string Prefix, long Before, int Limit)
{
    /// <summary>The longest page.</summary>
    public const int MaxLimit = 1000;

    /// <summary>Refuses a query that no caller may make.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The limit is out of its bounds.</exception>
    public static void ThrowIfInvalid(in MarkQuery query)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(query.Limit, 1, nameof(query));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(query.Limit, MaxLimit, nameof(query));
    }
}

/// <summary>An operator's change of a mark.</summary>
/// <param name="Session">The session of the gateway that asks; it has nothing in flight at the resource.</param>
/// <param name="Resource">The resource; need not be known yet.</param>
/// <param name="Mark">The new mark, 0 … 2^63−1; 0 forgets every token seen.</param>
/// <param name="InDoubtHold">How long writes of a session that ended count; 0 to
/// <see cref="EnterRequest.LongestHold"/>.</param>
/// <param name="Reason">Why, in the operator's words; at most <see cref="MaxTextLength"/> characters.</param>
/// <param name="Actor">Who, as far as known; at most <see cref="MaxTextLength"/> characters.</param>
public sealed record SetMarkRequest(
    string Session, ResourceKey Resource, long Mark, TimeSpan InDoubtHold, string Reason, string Actor)
{
    /// <summary>The longest reason or actor, in characters.</summary>
    public const int MaxTextLength = 1024;

    /// <summary>Refuses a request that no caller may make.</summary>
    /// <exception cref="ArgumentException">The mark is negative, the hold out of its bounds, or a text too
    /// long.</exception>
    public static void ThrowIfInvalid(SetMarkRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Resource.Value is null || request.Mark < 0
            || request.Reason.Length > MaxTextLength || request.Actor.Length > MaxTextLength)
        {
            throw new ArgumentException(
                "A mark is 0 or greater, reason and actor have a bounded length.", nameof(request));
        }

        EnterRequest.ThrowIfInvalid(request.InDoubtHold, nameof(request));
    }
}
