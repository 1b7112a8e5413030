namespace FenceGateway.TokenStore;

/// <summary>How a policy wants requests admitted; made once per policy.</summary>
/// <param name="Drain">Whether a newer token waits for older writes (R4); otherwise it only seals.</param>
/// <param name="DrainTimeout">How long one request waits for older writes, at most; 0 to 10 minutes, 0 does not wait.
/// For the store it waits at least 5 s.</param>
/// <param name="InDoubtHold">How long a write whose end is unknown holds newer tokens back; 0 to
/// <see cref="EnterRequest.LongestHold"/>.</param>
/// <param name="AdvanceOnSuccess">Whether the mark advances only by <see cref="FenceTable.AdvanceAsync"/>, without a
/// barrier.</param>
public sealed record AdmissionRules(
    bool Drain, TimeSpan DrainTimeout, TimeSpan InDoubtHold, bool AdvanceOnSuccess = false)
{
    /// <summary>The same without a barrier: raise the mark, wait for nothing but the store.</summary>
    internal AdmissionRules SealOnly => field ??= new AdmissionRules(Drain: false, DrainTimeout, InDoubtHold);
}

/// <summary>What became of a request for admission.</summary>
public enum AdmissionStatus
{
    /// <summary>
    /// Forward it now. A write is in flight until <see cref="ResourceFence.End"/> or
    /// <see cref="ResourceFence.EndInDoubt"/>.
    /// </summary>
    Admitted,

    /// <summary>A higher token was durably recorded: refuse for good.</summary>
    Stale,

    /// <summary>Older writes did not end in time. The mark stays raised.</summary>
    Draining,

    /// <summary>The store cannot tell (R8).</summary>
    Unavailable,
}

/// <summary>The answer to a request for admission.</summary>
/// <param name="Status">What became of it.</param>
/// <param name="Fence">The fence that decided, and at which an admitted write is in flight.</param>
/// <param name="Mark">The highest mark known to be durable; 0 when none is.</param>
/// <param name="RetryAfter">While draining: when it is worth to try again, if that is known.</param>
/// <param name="Fault">Why the store cannot tell; null otherwise.</param>
/// <param name="Session">The session in which it was admitted; null where no registration stands behind the admission.
/// A write has to be cut off when the session ends (<see cref="GatewaySession.Ended"/>): from then on the store holds
/// newer tokens back only for the in-doubt hold.</param>
public readonly record struct Admission(
    AdmissionStatus Status, ResourceFence Fence, long Mark, TimeSpan? RetryAfter = null, string? Fault = null,
    GatewaySession? Session = null);

/// <summary>What one gateway knows of a resource, for people.</summary>
/// <param name="Mark">The highest mark known to be durable; 0 when none is.</param>
/// <param name="InFlight">Writes in flight through this gateway.</param>
/// <param name="InDoubt">Tokens with writes whose end is unknown, with the time until they stop to hold newer tokens
/// back.</param>
public sealed record ResourceSnapshot(
    long Mark, int InFlight, IReadOnlyList<(FencingToken Token, TimeSpan Remaining)> InDoubt);

/// <summary>What became of an operator's change.</summary>
public enum OperatorStatus
{
    /// <summary>Done, durably.</summary>
    Done,

    /// <summary>Refused: something is in flight or in doubt.</summary>
    Busy,

    /// <summary>Refused: another change of this resource is under way, or was made meanwhile.</summary>
    Changing,
}
