using FenceGateway.Fencing;

namespace FenceGateway.TokenStore;

/// <summary>Asks a store to raise a mark and to register this gateway as a writer.</summary>
/// <param name="Resource">The resource.</param>
/// <param name="Token">The token presented.</param>
/// <param name="Oldest">The lowest token that this gateway still has in flight or in doubt there, else <paramref name="Token"/>.</param>
/// <param name="InDoubtHold">How long writes of a gateway that died hold newer tokens back; not negative.</param>
public readonly record struct EnterRequest(ResourceKey Resource, FencingToken Token, FencingToken Oldest, TimeSpan InDoubtHold);

/// <summary>What the store answered.</summary>
/// <param name="Status">Admitted, draining or stale.</param>
/// <param name="Mark">The mark, durable: the token asked for, or the higher one that makes it stale.</param>
/// <param name="RetryAfter">While draining: when writes that died with another process (or with this one's predecessor) stop
/// to hold this token back; zero when only writes that are alive do.</param>
public readonly record struct EnterReply(EnterStatus Status, FencingToken Mark, TimeSpan RetryAfter = default);
