namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>How a request's try for a place in a bulkhead ended.</summary>
internal enum PlaceStatus
{
    /// <summary>It has a place, which it has to give back.</summary>
    Taken,

    /// <summary>
    /// No place is free and no more may wait, or a newer holder of its resource took its place in the line.
    /// </summary>
    Full,

    /// <summary>It has waited for as long as it may.</summary>
    TimedOut,

    /// <summary>Its token is older than its resource's mark: it can never be forwarded.</summary>
    Stale,
}
