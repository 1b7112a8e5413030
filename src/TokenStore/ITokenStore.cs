using FenceGateway.Fencing;

namespace FenceGateway.TokenStore;

/// <summary>
/// Where the marks of all resources live. A store makes one promise: once <see cref="EnterAsync"/> has answered anything
/// but an exception, the mark it answered with survives every crash that the store's grade covers (I2, I9 of docs/protocol.md).
/// </summary>
/// <remarks>
/// Safe for use by several threads. Methods that ask or change the store throw <see cref="TokenStoreUnavailableException"/> when
/// it cannot tell: the caller then fails closed (R8).
/// </remarks>
public interface ITokenStore : IAsyncDisposable
{
    /// <summary>What the store is and what it promises.</summary>
    TokenStoreInfo Info { get; }

    /// <summary>Why the store refuses now, as a sentence; null while it serves.</summary>
    string? Fault { get; }

    /// <summary>How many resources have a mark.</summary>
    long Count { get; }

    /// <summary>How long ago the store recovered from a stop after which writes could still have been on their way; null when it
    /// did not. Within the in-doubt hold such writes keep newer tokens waiting.</summary>
    TimeSpan? SinceCrash { get; }

    /// <summary>Recovers what was stored and makes ready to serve.</summary>
    /// <exception cref="TokenStoreUnavailableException">It cannot be opened; the message says why and what to do.</exception>
    ValueTask OpenAsync(CancellationToken cancellationToken);

    /// <summary>The durable mark of a resource, answered from memory without any I/O; 0 when none is known.</summary>
    long PeekMark(ResourceKey resource);

    /// <summary>
    /// The atomic step of the protocol: refuses a stale token, otherwise raises the mark durably and says whether older
    /// writes can still be on their way. An answer given at once completes synchronously.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">The step may or may not have been taken.</exception>
    ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken);

    /// <summary>What is stored for one resource; null when nothing is.</summary>
    ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken);

    /// <summary>Lists resources, the most recently advanced first.</summary>
    ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken);

    /// <summary>
    /// An operator's mark, higher or lower, recorded durably together with who and why. The caller has made sure that
    /// nothing is in flight at this gateway (R11).
    /// </summary>
    ValueTask SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// An operator's word that nothing which a process that is gone has left on its way can be applied any more (R5): ends the
    /// hold of this resource. Whether there was one.
    /// </summary>
    ValueTask<bool> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken);

    /// <summary>
    /// Makes everything durable and closes. With <paramref name="quiet"/> the caller vouches that no write is in flight or in
    /// doubt, so that the next start need not wait for any; otherwise the next start treats this stop as a crash.
    /// </summary>
    ValueTask CloseAsync(bool quiet, CancellationToken cancellationToken);
}
