using FenceGateway.Gateway.Resilience;
using FenceGateway.Idempotency;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>A request that has claimed its key.</summary>
internal sealed class KeyedRequest(string route, IdempotencyPolicy policy, IdempotencyClaim claim, HeldAnswer answer)
{
    public string Route => route;

    public IdempotencyPolicy Policy => policy;

    public IdempotencyClaim Claim => claim;

    /// <summary>What the client gets when the claim has ended.</summary>
    public HeldAnswer Answer => answer;

    /// <summary>Whether the key was durably started: the request may be sent, in as many attempts as it gets.</summary>
    public bool IsStarted { get; set; }

    /// <summary>Whether the claim has ended; while it has not, nothing was sent for it.</summary>
    public bool HasEnded { get; set; }
}
