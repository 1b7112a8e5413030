namespace FenceGateway.Gateway.Problems;

/// <summary>
/// What a problem type looks like on the wire: RFC 9457 fields and the error of RFC 9209, section 2.3.
/// </summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Name">The last part of the type's URN; null for <c>about:blank</c>.</param>
/// <param name="Title">The same words for every occurrence.</param>
/// <param name="ProxyError">The error type of the <c>Proxy-Status</c> field.</param>
internal sealed record Problem(int Status, string? Name, string Title, string ProxyError)
{
    private const string UrnPrefix = "urn:problem-type:fencegateway:";

    /// <summary>The type URI.</summary>
    public string Type { get; } = Name is null ? "about:blank" : UrnPrefix + Name;

    /// <summary>The <c>Proxy-Status</c> field.</summary>
    public string ProxyStatus { get; } = $"fencegateway; error={ProxyError}; details=\"{Name ?? Title}\"";

    /// <summary>The name as an outcome in the log.</summary>
    public string Outcome { get; } = (Name ?? Title.ToLowerInvariant()).Replace('-', '_').Replace(' ', '_');

    public static Problem Of(ProblemType type) => All[(int)type];

    private static readonly Problem[] All = [.. Enum.GetValues<ProblemType>().Select(Define)];

    private static Problem Define(ProblemType type) => type switch
    {
        ProblemType.FencingTokenMalformed => new(400, "fencing-token-malformed",
            "The request does not carry exactly one well-formed fencing token", "http_request_error"),
        ProblemType.AmbiguousTarget => new(400, "ambiguous-target",
            "The request target can be read in more than one way", "http_request_error"),
        ProblemType.CrossResource => new(400, "cross-resource",
            "One fencing token cannot speak for two resources", "http_request_error"),
        ProblemType.FencingTokenRequired => new(428, "fencing-token-required",
            "A write to this resource needs a fencing token", "http_request_denied"),
        ProblemType.FencingTokenStale => new(409, "fencing-token-stale",
            "A later fencing token has been seen for this resource", "http_request_denied"),
        ProblemType.UpgradeNotFenced => new(403, "upgrade-not-fenced",
            "A connection cannot be upgraded or tunnelled past the fence", "http_request_denied"),
        ProblemType.FenceDraining => new(503, "fence-draining",
            "Older writes to this resource have not ended yet", "destination_unavailable"),
        ProblemType.TokenStoreUnavailable => new(503, "token-store-unavailable",
            "The token store cannot tell whether this token is current", "proxy_internal_error"),
        ProblemType.ShuttingDown => new(503, "shutting-down",
            "The gateway is shutting down", "destination_unavailable"),
        ProblemType.UpstreamUnreachable => new(502, "upstream-unreachable",
            "The service behind the gateway did not give a complete answer", "destination_unavailable"),
        ProblemType.UpstreamTimeout => new(504, "upstream-timeout",
            "The service behind the gateway did not answer in time", "http_response_timeout"),
        ProblemType.CircuitOpen => new(503, "circuit-open",
            "The service behind the gateway keeps failing and is left alone for a while", "destination_unavailable"),
        ProblemType.BulkheadFull => new(503, "bulkhead-full",
            "Too many requests are in flight to the service", "destination_unavailable"),
        ProblemType.RateLimited => new(429, "rate-limited",
            "Too many requests in a short time", "http_request_denied"),
        ProblemType.Overloaded => new(503, "overloaded",
            "The gateway has more requests than it takes at once", "proxy_internal_error"),
        ProblemType.IdempotencyKeyRequired => new(400, "idempotency-key-required",
            "A write on this route needs an Idempotency-Key", "http_request_error"),
        ProblemType.IdempotencyKeyMalformed => new(400, "idempotency-key-malformed",
            "The request does not carry exactly one well-formed Idempotency-Key", "http_request_error"),
        ProblemType.IdempotencyKeyInProgress => new(409, "idempotency-key-in-progress",
            "A request with this Idempotency-Key has not ended yet", "http_request_denied"),
        ProblemType.IdempotencyKeyReused => new(422, "idempotency-key-reused",
            "This Idempotency-Key belongs to another request", "http_request_denied"),
        ProblemType.IdempotencyOutcomeUnknown => new(409, "idempotency-outcome-unknown",
            "The answer to the first request with this Idempotency-Key is not known", "http_request_denied"),
        ProblemType.IdempotencyStoreFull => new(503, "idempotency-store-full",
            "No further Idempotency-Key can be remembered now", "proxy_internal_error"),
        ProblemType.BadRequest => new(400, null, "Bad Request", "http_request_error"),
        ProblemType.ContentTooLarge => new(413, null, "Content Too Large", "http_request_error"),
        ProblemType.RequestTimeout => new(408, null, "Request Timeout", "http_request_error"),
        ProblemType.RouteNotFound => new(404, null, "Not Found", "destination_not_found"),
        ProblemType.InternalError => new(500, null, "Internal Server Error", "proxy_internal_error"),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };
}
