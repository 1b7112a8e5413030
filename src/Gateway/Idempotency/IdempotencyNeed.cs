namespace FenceGateway.Gateway.Idempotency;

/// <summary>Whether a policy in force keeps answers, so that their store is needed.</summary>
internal sealed record IdempotencyNeed(bool IsNeeded);
