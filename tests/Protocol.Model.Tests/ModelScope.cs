namespace FenceGateway.Protocol.Model.Tests;

/// <summary>What is searched.</summary>
/// <param name="Gateways">2 or 3; they are interchangeable.</param>
/// <param name="Tokens">1 … 3, of which any client may present any one at any gateway at any time.</param>
/// <param name="LateSteps">So many requests of a gateway, at most, are in flight after it has given up on them; 0 …
/// 2.</param>
/// <param name="Faults">What may happen.</param>
/// <param name="Flaw">The rule that is broken.</param>
internal sealed record ModelScope(
    int Gateways, int Tokens, int LateSteps, ModelFaults Faults = ModelFaults.All, ModelFlaw Flaw = ModelFlaw.None);

[Flags]
internal enum ModelFaults
{
    None = 0,

    /// <summary>A request, or its reply, does not arrive.</summary>
    LostReplies = 1,

    /// <summary>A session ends, here first and then in the store.</summary>
    LostSessions = 2,

    /// <summary>A gateway crashes and starts again with nothing in its memory.</summary>
    Crashes = 4,

    /// <summary>The end of a forwarded write is unknown.</summary>
    InDoubt = 8,

    All = LostReplies | LostSessions | Crashes | InDoubt,
}

/// <summary>One rule of the protocol left out.</summary>
internal enum ModelFlaw
{
    None,

    /// <summary>"Draining" is taken for "admitted".</summary>
    NoDrain,

    /// <summary>A gateway registers the new token while an older write of its own is in flight.</summary>
    RegistersAboveItsOldest,

    /// <summary>A withdrawal is sent while the reply of an Enter is outstanding.</summary>
    WithdrawsDuringEnter,

    /// <summary>A token that equals the mark in memory is admitted without a registration.</summary>
    AdmitsFromTheCachedMark,

    /// <summary>A notice is taken for a mark that is durable.</summary>
    BelievesNotices,

    /// <summary>The registration is withdrawn while older writes are in flight.</summary>
    WithdrawsBeforeTheDrain,

    /// <summary>After a lost reply the gateway admits the token it had entered with before.</summary>
    GoesBackAfterALostReply,

    /// <summary>The store may end a session before its gateway has.</summary>
    EndsItsSessionTooLate,

    /// <summary>Writes in flight are not cut off when their session ends.</summary>
    LetsWritesGoOn,

    /// <summary>What an ended session left does not hold newer tokens back.</summary>
    NoInDoubtHold,

    /// <summary>A withdrawal takes whatever is registered.</summary>
    WithdrawsWithoutSequence,

    /// <summary>A step that was overtaken is carried out like any other.</summary>
    EntersWithoutSequence,

    /// <summary>
    /// A step that drains with nothing older in flight takes the registration away, though writes with its own token
    /// may be on theirs.
    /// </summary>
    ForgetsWritesWithItsOwnToken,
}
