namespace FenceGateway.Gateway.RateLimiting;

/// <summary>What is left of a limit.</summary>
/// <param name="Remaining">Permits that can be taken now.</param>
/// <param name="Next">How long until there is one more; null where that is not a matter of time.</param>
internal readonly record struct RateLimitReading(int Remaining, TimeSpan? Next);
