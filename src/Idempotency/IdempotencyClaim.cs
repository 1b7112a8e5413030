namespace FenceGateway.Idempotency;

/// <summary>Asks for a key.</summary>
/// <param name="Key">The key.</param>
/// <param name="Fingerprint">Of the request that comes with it.</param>
/// <param name="Ttl">How long its answer is kept.</param>
/// <param name="ResendUnknown">Whether a key whose outcome is unknown is free for another attempt.</param>
public readonly record struct ClaimRequest(
    KeyHash Key, RequestFingerprint Fingerprint, TimeSpan Ttl, bool ResendUnknown);

/// <summary>What became of a claim.</summary>
public enum ClaimStatus
{
    /// <summary>The key is the caller's, who has to end the claim.</summary>
    Claimed,

    /// <summary>Somebody else has claimed it and has not ended yet.</summary>
    Running,

    /// <summary>The first answer is in the reply.</summary>
    Completed,

    /// <summary>The first request may have been applied and its answer is not known.</summary>
    Unknown,

    /// <summary>The key belongs to a request with another fingerprint.</summary>
    Reused,

    /// <summary>The key is new and nothing can be remembered now.</summary>
    Refused,
}

/// <summary>Why an outcome is unknown.</summary>
public enum UnknownReason : byte
{
    /// <summary>
    /// The request was sent, or about to be, and no complete answer came, or the process ended before it was stored.
    /// </summary>
    Interrupted,

    /// <summary>The answer was longer than what is stored.</summary>
    TooLong,

    /// <summary>The answer could not be written, or what was written cannot be read.</summary>
    Unreadable,
}

/// <summary>The answer to a <see cref="ClaimRequest"/>.</summary>
public readonly record struct ClaimReply(ClaimStatus Status)
{
    /// <summary>With <see cref="ClaimStatus.Claimed"/>.</summary>
    public IdempotencyClaim? Claim { get; init; }

    /// <summary>With <see cref="ClaimStatus.Completed"/>.</summary>
    public StoredAnswer? Answer { get; init; }

    /// <summary>With <see cref="ClaimStatus.Unknown"/>.</summary>
    public UnknownReason Reason { get; init; }

    /// <summary>With <see cref="ClaimStatus.Refused"/>: why, a sentence.</summary>
    public string? Detail { get; init; }

    /// <summary>With <see cref="ClaimStatus.Refused"/>: when another try may succeed.</summary>
    public TimeSpan RetryAfter { get; init; }
}

/// <summary>
/// A key that is claimed, until it is completed, abandoned or released. Used by one request, sequentially.
/// </summary>
public sealed class IdempotencyClaim
{
    internal IdempotencyClaim(in ClaimRequest request, long expiresAt, UnknownReason? before)
    {
        (Key, Fingerprint, Ttl, ExpiresAt, Before) = (request.Key, request.Fingerprint, request.Ttl, expiresAt, before);
    }

    internal KeyHash Key { get; }

    internal RequestFingerprint Fingerprint { get; }

    internal TimeSpan Ttl { get; }

    /// <summary>Unix time in milliseconds at which the key expires if the process ends before the claim does.</summary>
    internal long ExpiresAt { get; }

    /// <summary>Why the key was unknown before, if it was: releasing the claim makes it so again.</summary>
    internal UnknownReason? Before { get; }

    /// <summary>Whether the store may have written that the request was started.</summary>
    internal bool IsStarted { get; set; }

    /// <summary>Whether the store may have written how it ended, and the key does not say so yet.</summary>
    internal bool IsEnding { get; set; }
}

/// <summary>An answer as it is kept.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Headers">Names and values, one entry for each line.</param>
/// <param name="Body">The body; empty without one.</param>
public sealed record StoredAnswer(
    int Status, IReadOnlyList<KeyValuePair<string, string>> Headers, ReadOnlyMemory<byte> Body);
