using FenceGateway.Gateway.Problems;

namespace FenceGateway.Gateway.Tests.Problems;

public sealed class ProblemTests
{
    /// <summary>The contract with clients: they decide by these.</summary>
    [Theory]
    [InlineData(nameof(ProblemType.FencingTokenMalformed), 400, "fencing-token-malformed")]
    [InlineData(nameof(ProblemType.AmbiguousTarget), 400, "ambiguous-target")]
    [InlineData(nameof(ProblemType.CrossResource), 400, "cross-resource")]
    [InlineData(nameof(ProblemType.FencingTokenRequired), 428, "fencing-token-required")]
    [InlineData(nameof(ProblemType.FencingTokenStale), 409, "fencing-token-stale")]
    [InlineData(nameof(ProblemType.UpgradeNotFenced), 403, "upgrade-not-fenced")]
    [InlineData(nameof(ProblemType.FenceDraining), 503, "fence-draining")]
    [InlineData(nameof(ProblemType.TokenStoreUnavailable), 503, "token-store-unavailable")]
    [InlineData(nameof(ProblemType.ShuttingDown), 503, "shutting-down")]
    [InlineData(nameof(ProblemType.UpstreamUnreachable), 502, "upstream-unreachable")]
    [InlineData(nameof(ProblemType.UpstreamTimeout), 504, "upstream-timeout")]
    [InlineData(nameof(ProblemType.CircuitOpen), 503, "circuit-open")]
    [InlineData(nameof(ProblemType.BulkheadFull), 503, "bulkhead-full")]
    [InlineData(nameof(ProblemType.RateLimited), 429, "rate-limited")]
    [InlineData(nameof(ProblemType.Overloaded), 503, "overloaded")]
    [InlineData(nameof(ProblemType.IdempotencyKeyRequired), 400, "idempotency-key-required")]
    [InlineData(nameof(ProblemType.IdempotencyKeyMalformed), 400, "idempotency-key-malformed")]
    [InlineData(nameof(ProblemType.IdempotencyKeyInProgress), 409, "idempotency-key-in-progress")]
    [InlineData(nameof(ProblemType.IdempotencyKeyReused), 422, "idempotency-key-reused")]
    [InlineData(nameof(ProblemType.IdempotencyOutcomeUnknown), 409, "idempotency-outcome-unknown")]
    [InlineData(nameof(ProblemType.IdempotencyStoreFull), 503, "idempotency-store-full")]
    [InlineData(nameof(ProblemType.BadRequest), 400, null)]
    [InlineData(nameof(ProblemType.ContentTooLarge), 413, null)]
    [InlineData(nameof(ProblemType.RequestTimeout), 408, null)]
    [InlineData(nameof(ProblemType.RouteNotFound), 404, null)]
    [InlineData(nameof(ProblemType.InternalError), 500, null)]
    public void Of_EachType_HasItsStatusAndName(string type, int status, string? name)
    {
        var problem = Problem.Of(Enum.Parse<ProblemType>(type));
        problem.Status.ShouldBe(status);
        problem.Name.ShouldBe(name);
        problem.Type.ShouldBe(name is null ? "about:blank" : $"urn:problem-type:fencegateway:{name}");
        problem.ProxyStatus.ShouldStartWith("fencegateway; error=");
        problem.ProxyStatus.ShouldEndWith($"; details=\"{name ?? problem.Title}\"");
    }

    [Fact]
    public void Of_EveryType_IsInTheTableAbove()
    {
        var rows = typeof(ProblemTests).GetMethod(nameof(Of_EachType_HasItsStatusAndName))!
            .GetCustomAttributes(typeof(InlineDataAttribute), inherit: false).Cast<InlineDataAttribute>()
            .Select(row => (string)row.Data[0]!);
        rows.ShouldBe(Enum.GetNames<ProblemType>(), ignoreOrder: true);
    }

    /// <summary>The error types of RFC 9209, section 2.3; a proxy behind us may decide by them.</summary>
    [Fact]
    public void Of_EveryType_NamesARegisteredProxyError()
    {
        string[] registered =
        [
            "http_request_error", "http_request_denied", "destination_unavailable", "destination_not_found",
            "http_response_timeout",
            "proxy_internal_error",
        ];
        foreach (var type in Enum.GetValues<ProblemType>())
        {
            registered.ShouldContain(Problem.Of(type).ProxyError);
        }
    }
}
