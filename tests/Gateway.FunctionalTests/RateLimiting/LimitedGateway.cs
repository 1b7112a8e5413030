using FenceGateway.Gateway.FunctionalTests.Fence;

namespace FenceGateway.Gateway.FunctionalTests.RateLimiting;

/// <summary>
/// Gateways with the rate limit <c>test</c> on the fenced route, and what their answers say about it.
/// </summary>
internal static class LimitedGateway
{
    /// <summary>A setup with a policy of the given JSON members.</summary>
    public static GatewaySetup Setup(string policy, string route = "", string routes = "", string gateway = "") => new()
    {
        Route = """ "RateLimiterPolicy": "test" """ + (route.Length > 0 ? "," + route : ""),
        Routes = routes,
        Gateway = $$""" "RateLimiterPolicies": { "test": { {{policy}} } } """ + (gateway.Length > 0 ? "," + gateway : ""),
    };

    public static Task<FencedGateway> StartAsync(
        string policy, string route = "", string routes = "", string gateway = "") =>
        FencedGateway.StartAsync(Setup(policy, route, routes, gateway));

    public static async Task<Answer> GetAsync(
        this FencedGateway gateway, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        using var response = await gateway.Client.SendAsync(request);
        return await Answer.ReadAsync(response);
    }

    /// <summary>What the answer's fields say, read strictly; both are there and speak of the same policy.</summary>
    public static (string Policy, IReadOnlyDictionary<string, object> Quota, long Remaining, long? Time) RateLimit(
        this Answer answer)
    {
        var quota = StructuredList.Parse(answer.Headers["RateLimit-Policy"]).ShouldHaveSingleItem();
        var limit = StructuredList.Parse(answer.Headers["RateLimit"]).ShouldHaveSingleItem();
        limit.Value.ShouldBe(quota.Value);
        limit.Parameters.Keys.ShouldBeSubsetOf(["r", "t"]);
        return (
            (string)quota.Value, quota.Parameters, (long)limit.Parameters["r"],
            (long?)limit.Parameters.GetValueOrDefault("t"));
    }

    public static void ShouldBeLimited(this Answer answer)
    {
        answer.ShouldBeProblem(429, "rate-limited");
        var (_, _, remaining, time) = answer.RateLimit();
        remaining.ShouldBe(0);
        answer.RetryAfter.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo((int)(time ?? 1));
        answer.Headers["Cache-Control"].ShouldBe("no-store");
    }
}
