using FenceGateway.Gateway.FunctionalTests.Fence;

namespace FenceGateway.Gateway.FunctionalTests.RateLimiting;

/// <summary>What a client of a limited route sees.</summary>
public sealed class RateLimitTests
{
    private const string TwoInTenSeconds = """ "Type": "FixedWindow", "PermitLimit": 2, "Window": "00:00:10" """;

    [Fact]
    public async Task Requests_WithinTheLimit_AreToldWhatIsLeftAndBeyondIt429()
    {
        await using var gateway = await LimitedGateway.StartAsync(TwoInTenSeconds);

        var first = await gateway.PutAsync(34);
        first.ShouldBeServices(200);
        var (policy, quota, remaining, time) = first.RateLimit();
        (policy, remaining, time).ShouldBe(("test", 1, 10));
        quota.ShouldBe(new Dictionary<string, object> { ["q"] = 2L, ["w"] = 10L }, ignoreOrder: true);
        gateway.Clock.Advance(TimeSpan.FromSeconds(2.5));
        (await gateway.PutAsync(34)).RateLimit().ShouldSatisfyAllConditions(
            l => l.Remaining.ShouldBe(0), l => l.Time.ShouldBe(8));

        var limited = await gateway.PutAsync(34);
        limited.ShouldBeLimited();
        limited.RetryAfter.ShouldBe(8);
        limited.Json.GetProperty("route").GetString().ShouldBe("orders");
        limited.Headers["Proxy-Status"].ShouldContain("rate-limited");
        gateway.Service.Entries.Count.ShouldBe(2);

        gateway.Clock.Advance(TimeSpan.FromSeconds(7.5));
        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    [Fact]
    public async Task StaleRequests_UseNoPermit()
    {
        await using var gateway = await LimitedGateway.StartAsync(TwoInTenSeconds);
        (await gateway.PutAsync(34)).ShouldBeServices(200);

        for (var i = 0; i < 5; i++)
        {
            (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        }

        (await gateway.PutAsync(34)).ShouldBeServices(200);
        (await gateway.PutAsync(34)).ShouldBeLimited();
        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
    }

    [Fact]
    public async Task GatewaysOwnAnswer_ToAnAdmittedRequest_CarriesTheFields()
    {
        await using var gateway = await FencedGateway.StartAsync(
            LimitedGateway.Setup(TwoInTenSeconds), _ => new Uri("http://127.0.0.1:1/"));

        var answer = await gateway.PutAsync(34);

        answer.ShouldBeProblem(502, "upstream-unreachable");
        answer.RateLimit().Remaining.ShouldBe(1);
    }

    [Fact]
    public async Task Service_WithFieldsOfItsOwn_IsLeftAloneExceptInA429()
    {
        await using var gateway = await LimitedGateway.StartAsync(
            TwoInTenSeconds, route: """ "Transforms": [ { "ResponseHeader": "RateLimit", "Set": "\"own\";r=7", "When": "Always" } ] """);

        foreach (var _ in Enumerable.Range(0, 2))
        {
            var answer = await gateway.PutAsync(34);
            answer.Headers["RateLimit"].ShouldBe("\"own\";r=7");
            answer.Headers.Keys.ShouldNotContain("RateLimit-Policy");
        }

        (await gateway.PutAsync(34)).ShouldBeLimited();
    }

    [Fact]
    public async Task RoutesThatNameOnePolicy_ShareItsLimit_AndOthersHaveNone()
    {
        await using var gateway = await LimitedGateway.StartAsync(TwoInTenSeconds, routes: """
            "more": { "ClusterId": "service", "Match": { "Path": "/more" }, "RateLimiterPolicy": "TEST" },
            "free": { "ClusterId": "service", "Match": { "Path": "/free" }, "RateLimiterPolicy": "disable" }
            """);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        (await gateway.GetAsync("/more")).ShouldBeServices(200);

        (await gateway.PutAsync(34)).ShouldBeLimited();
        (await gateway.GetAsync("/more")).ShouldBeLimited();
        foreach (var path in new[] { "/free", "/open" })
        {
            var answer = await gateway.GetAsync(path);
            answer.ShouldBeServices(200);
            answer.Headers.Keys.ShouldNotContain("RateLimit");
        }
    }

    [Theory]
    [InlineData("Header:X-Key")]
    [InlineData("Tenant")]
    [InlineData("Query:k")]
    public async Task Partition_OfARequest_HasALimitOfItsOwn(string partition)
    {
        await using var gateway = await LimitedGateway.StartAsync($$""" {{TwoInTenSeconds}}, "PartitionBy": [ "{{partition}}" ] """);

        foreach (var key in new[] { "a", "b" })
        {
            (await GetAsync(key)).RateLimit().Remaining.ShouldBe(1);
            (await GetAsync(key)).ShouldBeServices(200);
            (await GetAsync(key)).ShouldBeLimited();
        }

        (await gateway.GetAsync("/orders/1")).RateLimit().Remaining.ShouldBe(1);

        Task<Answer> GetAsync(string key) =>
            gateway.GetAsync($"/orders/1?k={key}", ("X-Key", key), ("X-Tenant-Id", key));
    }

    [Fact]
    public async Task Partition_Resource_IsOneForReadsAndWritesWithAndWithoutAToken()
    {
        await using var gateway = await LimitedGateway.StartAsync($$""" {{TwoInTenSeconds}}, "PartitionBy": [ "Resource" ] """);
        (await gateway.GetAsync(null, "/orders/1/lines")).RateLimit().Remaining.ShouldBe(1);
        (await gateway.PutAsync(34, "/orders/1")).RateLimit().Remaining.ShouldBe(0);

        (await gateway.GetAsync(34, "/orders/1")).ShouldBeLimited();
        (await gateway.PutAsync(34, "/orders/2")).ShouldBeServices(200);
    }

    [Fact]
    public async Task Requests_OfEveryOutcome_AreCounted()
    {
        await using var gateway = await LimitedGateway.StartAsync(
            $$""" {{TwoInTenSeconds}}, "PartitionBy": [ "Header:X-Key" ], "MaxPartitions": 1 """);
        using var meter = new MeterRecorder(gateway);
        foreach (var key in new[] { "a", "a", "a", "b", "c" })
        {
            await gateway.GetAsync("/orders/1", ("X-Key", key));
        }

        meter.Of("fencegateway.ratelimit.requests").Select(
            m => (m.Tags["fencegateway.policy"], m.Tags["fencegateway.outcome"]))
            .ShouldBe(
                [("test", "admitted"), ("test", "admitted"), ("test", "rejected"), ("test", "admitted"), ("test", "admitted")]);
        meter.Of("fencegateway.ratelimit.overflow").Count.ShouldBe(2);
        meter.Observe("fencegateway.ratelimit.partitions").ShouldBe(1);
    }
}
