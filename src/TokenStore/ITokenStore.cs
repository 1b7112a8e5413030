namespace FenceGateway.TokenStore;

/// <summary>
/// Where the marks of all resources live, and which gateways may have writes in flight to them. A store makes one
/// promise: once <see cref="EnterAsync"/> has answered, the mark it answered with survives every crash that the store's
/// grade covers (I2, I9 of docs/protocol.md).
/// </summary>
/// <remarks>
/// One instance serves one gateway, and is safe for use by several threads. Methods that ask or change the store throw
/// <see cref="TokenStoreUnavailableException"/> when it cannot tell: the caller then fails closed (R8). A store neither
/// tries again nor waits on its own: <see cref="StoreClient"/> does, for all of them.
/// </remarks>
public interface ITokenStore : IAsyncDisposable
{
    /// <summary>What the store is and what it promises. Complete once it is open.</summary>
    TokenStoreInfo Info { get; }

    /// <summary>
    /// Why the store refuses now, as a sentence, as far as it knows without asking; null while it serves.
    /// </summary>
    string? Fault { get; }

    /// <summary>
    /// Called when a mark may have risen, or when a writer that held newer tokens back may have gone. A hint: it may
    /// come late, twice or not at all; <see cref="Heartbeat.Revoked"/> is underneath. Never called under a lock. It has
    /// to be quick and must not throw.
    /// </summary>
    /// <remarks>Subscribed to before the store is opened.</remarks>
    event Action<ResourceChange>? Changed;

    /// <summary>
    /// Connects, creates what is missing, reads what the server promises. A shared store can be opened again.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">It cannot be opened; the message says why and what to
    /// do.</exception>
    ValueTask OpenAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Starts a session. Registrations made in it count until they are withdrawn or, the session having ended, held
    /// long enough.
    /// </summary>
    /// <param name="session">A name never used before.</param>
    /// <param name="timeToLive">How long it is to live without a heartbeat, by the store's clock.</param>
    /// <param name="cancellationToken">Ends the call, not what it may have done.</param>
    /// <returns>How long it lives in fact; <see cref="Timeout.InfiniteTimeSpan"/> for as long as this
    /// process.</returns>
    ValueTask<TimeSpan> StartSessionAsync(string session, TimeSpan timeToLive, CancellationToken cancellationToken);

    /// <summary>Prolongs a session. One that has ended is never alive again.</summary>
    ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken);

    /// <summary>
    /// Ends a session now; if it has ended already, that is no error. With <paramref name="isClean"/> the caller
    /// vouches that none of its writes is in flight or in doubt: its registrations go at once. Otherwise they hold
    /// newer tokens back as those of a session that expired just now. What was answered before is durable afterwards.
    /// </summary>
    ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken);

    /// <summary>
    /// The durable mark of a resource as far as this process knows it without any I/O; 0 when it does not.
    /// </summary>
    long PeekMark(ResourceKey resource);

    /// <summary>
    /// The atomic step of the protocol (R6): refuses a stale token, otherwise raises the mark durably, registers the
    /// session as a writer and says whether older writes, whoever sent them, can still be in flight.
    /// <see cref="ResourceState"/> is its model.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">The step may or may not have been taken; see the exception's
    /// properties.</exception>
    ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// Takes registrations back, each unless a later step of the same session has replaced it. Allowed for a session
    /// that has ended: its owner knows that nothing is in flight.
    /// </summary>
    /// <param name="session">Whose.</param>
    /// <param name="registrations">At most <see cref="Registration.MaxBatch"/>; what is not registered is no
    /// error.</param>
    /// <param name="cancellationToken">Ends the call, not what it may have done.</param>
    ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken);

    /// <summary>What is stored for one resource; null when nothing is.</summary>
    ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken);

    /// <summary>Lists resources, the most recently advanced first.</summary>
    ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken);

    /// <summary>How many resources have a mark.</summary>
    ValueTask<long> CountAsync(CancellationToken cancellationToken);

    /// <summary>
    /// An operator's mark, higher or lower, recorded durably together with who and why (R11). The caller vouches that
    /// its own session has nothing in flight; the session's registration goes in the same step.
    /// </summary>
    /// <returns>False, and nothing is changed, while a writer of another session holds newer tokens back, or when the
    /// mark changed meanwhile.</returns>
    ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// An operator's word that nothing which ended sessions have left in flight can be applied any more (R5): removes
    /// their registrations at this resource. How many there were.
    /// </summary>
    ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken);
}
