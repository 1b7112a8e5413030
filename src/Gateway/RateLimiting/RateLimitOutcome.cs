namespace FenceGateway.Gateway.RateLimiting;

/// <summary>What became of a request at a rate limit: the closed set of values of the tag.</summary>
internal enum RateLimitOutcome
{
    /// <summary>Let through at once.</summary>
    Admitted,

    /// <summary>Let through after it has waited.</summary>
    Queued,

    /// <summary>429.</summary>
    Rejected,

    /// <summary>The client went away while the request waited.</summary>
    Abandoned,

    /// <summary>The gateway stopped while the request waited.</summary>
    ShuttingDown,
}
