namespace FenceGateway.Idempotency;

/// <summary>
/// Remembers the first answer to each Idempotency-Key. A key is claimed before anything is done for it, started durably
/// before the request is sent, and ends with an answer, with an unknown outcome, or as if it had never been there.
/// </summary>
/// <remarks>
/// Disposing it writes what waits and lets go of the folder; claims are refused from then on. Of many claims of one key
/// at once exactly one is granted. A key that was started and did not end is unknown after a restart. Keys expire by
/// the wall clock: one that steps forward lets them expire early by that step, one that steps back late.
/// </remarks>
public interface IIdempotencyStore : IAsyncDisposable
{
    /// <summary>Where the keys are, for people.</summary>
    string Location { get; }

    /// <summary>Keys that are held, those of requests in progress included.</summary>
    long Count { get; }

    /// <summary>Bytes that the answers take.</summary>
    long Bytes { get; }

    /// <summary>Makes the store ready.</summary>
    /// <exception cref="IdempotencyStoreUnavailableException">It cannot be used.</exception>
    ValueTask OpenAsync(CancellationToken cancellationToken);

    /// <summary>Looks a key up and claims it if it is free. A new key costs no I/O.</summary>
    ValueTask<ClaimReply> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// The request is about to be sent. When this returns, a crash leaves the key unknown instead of free.
    /// </summary>
    /// <exception cref="IdempotencyStoreUnavailableException">That cannot be promised; nothing may be sent. The claim
    /// is to be released.</exception>
    ValueTask StartAsync(IdempotencyClaim claim, CancellationToken cancellationToken);

    /// <summary>
    /// Ends a claim with the answer. When this returns, every repeat gets it until the time to live has passed.
    /// </summary>
    /// <exception cref="IdempotencyStoreUnavailableException">It could not be stored: the key is unknown from now
    /// on.</exception>
    ValueTask CompleteAsync(IdempotencyClaim claim, StoredAnswer answer, CancellationToken cancellationToken);

    /// <summary>
    /// Ends a claim whose request may have been applied, with an answer that cannot be repeated. Waits for no disk.
    /// </summary>
    ValueTask AbandonAsync(IdempotencyClaim claim, UnknownReason reason, CancellationToken cancellationToken);

    /// <summary>
    /// Ends a claim whose request was certainly not applied: the key is what it was before the claim. Waits for no
    /// disk; after a crash right behind it the key may be unknown.
    /// </summary>
    ValueTask ReleaseAsync(IdempotencyClaim claim, CancellationToken cancellationToken);
}
