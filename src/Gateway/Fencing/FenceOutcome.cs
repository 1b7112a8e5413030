namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// What the fence said to a request: the closed set of values of the tag and of the log's <c>outcome</c>.
/// </summary>
internal enum FenceOutcome
{
    /// <summary>Admitted and forwarded.</summary>
    Admitted,

    /// <summary>Admitted and forwarded; how it ended at the service is unknown.</summary>
    InDoubt,

    /// <summary>A read without a token, or one that the policy does not fence: passed.</summary>
    Read,

    /// <summary>A write without a token that the policy lets pass.</summary>
    Unfenced,

    /// <summary>
    /// Not forwarded: the stored answer to an earlier request with its key was given, and the mark has seen its token.
    /// </summary>
    Replayed,

    /// <summary>Forwarded unfenced, for the token store was away and the policy lets that pass.</summary>
    StoreBypassed,

    Stale,
    Draining,
    StoreUnavailable,
    TokenMissing,
    TokenMalformed,
    AmbiguousTarget,
    CrossResource,
    UpgradeRefused,
    BodyTooLarge,
    ShuttingDown,

    /// <summary>The client went away before the request was admitted.</summary>
    Abandoned,
}

internal static class FenceOutcomeNames
{
    /// <summary>The outcome as it stands in logs and metrics.</summary>
    public static string Name(this FenceOutcome outcome) => outcome switch
    {
        FenceOutcome.Admitted => "admitted",
        FenceOutcome.InDoubt => "in_doubt",
        FenceOutcome.Read => "read",
        FenceOutcome.Unfenced => "unfenced",
        FenceOutcome.Replayed => "replayed",
        FenceOutcome.StoreBypassed => "store_bypassed",
        FenceOutcome.Stale => "stale",
        FenceOutcome.Draining => "draining",
        FenceOutcome.StoreUnavailable => "store_unavailable",
        FenceOutcome.TokenMissing => "token_missing",
        FenceOutcome.TokenMalformed => "token_malformed",
        FenceOutcome.AmbiguousTarget => "ambiguous_target",
        FenceOutcome.CrossResource => "cross_resource",
        FenceOutcome.UpgradeRefused => "upgrade_refused",
        FenceOutcome.BodyTooLarge => "body_too_large",
        FenceOutcome.ShuttingDown => "shutting_down",
        FenceOutcome.Abandoned => "abandoned",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, null),
    };
}
