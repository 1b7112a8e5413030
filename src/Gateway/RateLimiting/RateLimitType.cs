namespace FenceGateway.Gateway.RateLimiting;

/// <summary>How a rate limit counts.</summary>
internal enum RateLimitType
{
    /// <summary>A number of requests in each window; windows follow each other.</summary>
    FixedWindow,

    /// <summary>A number of requests in a window that moves on segment by segment.</summary>
    SlidingWindow,

    /// <summary>A bucket of permits that refills steadily.</summary>
    TokenBucket,

    /// <summary>A number of requests in progress.</summary>
    Concurrency,
}
