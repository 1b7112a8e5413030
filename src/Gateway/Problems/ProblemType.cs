namespace FenceGateway.Gateway.Problems;

/// <summary>
/// Every answer that the gateway gives itself; <see cref="Problem"/> maps each to its status and name.
/// </summary>
internal enum ProblemType
{
    FencingTokenMalformed,
    AmbiguousTarget,
    CrossResource,
    FencingTokenRequired,
    FencingTokenStale,
    UpgradeNotFenced,
    FenceDraining,
    TokenStoreUnavailable,
    ShuttingDown,
    UpstreamUnreachable,
    UpstreamTimeout,
    CircuitOpen,
    BulkheadFull,
    RateLimited,
    Overloaded,
    IdempotencyKeyRequired,
    IdempotencyKeyMalformed,
    IdempotencyKeyInProgress,
    IdempotencyKeyReused,
    IdempotencyOutcomeUnknown,
    IdempotencyStoreFull,
    BadRequest,
    ContentTooLarge,
    RequestTimeout,
    RouteNotFound,
    InternalError,
}
