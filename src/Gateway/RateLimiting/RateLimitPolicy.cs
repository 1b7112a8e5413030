using System.Threading.RateLimiting;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// A rate limit, parsed once and immutable. Two that are equal limit alike. Keys and defaults: docs/configuration.md.
/// </summary>
internal sealed record RateLimitPolicy
{
    public required string Name { get; init; }

    public required RateLimitType Type { get; init; }

    public required int PermitLimit { get; init; }

    public required TimeSpan Window { get; init; }

    public required int SegmentsPerWindow { get; init; }

    public required int QueueLimit { get; init; }

    public required int MaxPartitions { get; init; }

    public required RateLimitKey PartitionBy { get; init; }

    /// <summary>Whether a permit is held until the answer has ended.</summary>
    public bool HoldsPermits => Type == RateLimitType.Concurrency;

    public RateLimiter CreateLimiter(TimeProvider time) => Type switch
    {
        RateLimitType.FixedWindow => new FixedWindowLimiter(time, PermitLimit, Window, QueueLimit),
        RateLimitType.SlidingWindow => new SlidingWindowLimiter(
            time, PermitLimit, Window, SegmentsPerWindow, QueueLimit),
        RateLimitType.TokenBucket => new TokenBucketLimiter(time, PermitLimit, Window, QueueLimit),
        RateLimitType.Concurrency => new ConcurrencyLimiter(
            new() { PermitLimit = PermitLimit, QueueLimit = QueueLimit }),
        _ => throw new InvalidOperationException($"There is no limiter of type {Type}."),
    };
}
