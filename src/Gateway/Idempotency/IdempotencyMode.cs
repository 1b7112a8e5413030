namespace FenceGateway.Gateway.Idempotency;

/// <summary>Whether a route's writes need an Idempotency-Key.</summary>
internal enum IdempotencyMode
{
    /// <summary>Those with a key are answered once.</summary>
    Optional,

    /// <summary>One without a key gets 400.</summary>
    Required,
}
