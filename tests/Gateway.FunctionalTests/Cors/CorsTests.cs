using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Cors;

/// <summary>
/// Pages of other origins can read whatever the gateway answers on a route with a policy, and nothing more than it
/// allows.
/// </summary>
public sealed class CorsTests
{
    private const string Shop = "https://shop.example";

    private const string Policies = """
        "CorsPolicies": {
          "shop": {
            "AllowedOrigins": [ "https://shop.example", "https://*.shop.example" ], "AllowCredentials": true, "MaxAge": "00:10:00" },
          "strict": {
            "AllowedOrigins": [ "https://shop.example" ], "AllowedMethods": [ "GET" ], "AllowedHeaders": [ "X-Shop" ],
            "ExposedHeaders": [ "X-Total" ] },
          "all": { "AllowedOrigins": [ "*" ] } }
        """;

    private static GatewaySetup With(string policy, string gateway = "", string route = "") => new()
    {
        Route = $$""" "CorsPolicy": "{{policy}}" """ + route,
        Gateway = Policies + gateway,
    };

    [Theory]
    [InlineData(409, "fencing-token-stale", "33")]
    [InlineData(428, "fencing-token-required", null)]
    [InlineData(400, "fencing-token-malformed", "x")]
    public async Task Refusal_CanBeReadByAPage(int status, string problem, string? token)
    {
        await using var gateway = await FencedGateway.StartAsync(With("shop"));
        (await gateway.PutAsync(34)).ShouldBeServices(200);

        var answer = await PutAsync(gateway, token);

        answer.ShouldBeProblem(status, problem);
        ShouldBeReadable(answer);
    }

    [Fact]
    public async Task Refusal_WhereTheGatewayIsFull_CanBeReadByAPage()
    {
        await using var gateway = await FencedGateway.StartAsync(With("shop", """, "Limits": { "MaxInFlight": 1 } """));
        gateway.HoldAll();
        var (held, arrival) = await gateway.PutHeldAsync(34);

        var answer = await PutAsync(gateway, "34");

        answer.ShouldBeProblem(503, "overloaded");
        ShouldBeReadable(answer);
        arrival.Release();
        (await held).ShouldBeServices(200);
    }

    [Fact]
    public async Task Refusal_ByARateLimitOrAServiceThatIsAway_CanBeReadByAPage()
    {
        const string One = """, "RateLimiterPolicies": { "one": { "Type": "FixedWindow", "PermitLimit": 1, "Window": "00:01:00" } } """;
        await using var gateway = await FencedGateway.StartAsync(
            With("shop", One, """, "RateLimiterPolicy": "one" """), _ => new Uri("http://127.0.0.1:1/"));

        var away = await PutAsync(gateway, "33");
        var limited = await PutAsync(gateway, "33");

        away.ShouldBeProblem(502, "upstream-unreachable");
        ShouldBeReadable(away);
        limited.ShouldBeProblem(429, "rate-limited");
        ShouldBeReadable(limited);
        limited.Headers["Access-Control-Expose-Headers"].ShouldContain("Retry-After");
    }

    [Fact]
    public async Task Service_WhatItSaysOfCors_IsReplaced()
    {
        await using var service = new FaultyService();
        service.Script = _ => new Fault("cors", async e =>
        {
            await e.ReadBodyAsync();
            e.Apply();
            e.Ends(200);
            await e.SendAsync(RawHttpClient.Head(
                "HTTP/1.1 200 OK", "Access-Control-Allow-Origin: *", "Access-Control-Max-Age: 1", "X-Name: x",
                "Content-Length: 0"));
            return true;
        });
        await using var gateway = await FencedGateway.StartAsync(With("shop"), _ => service.Address);

        ShouldBeReadable(await PutAsync(gateway, "33"));
        var other = await PutAsync(gateway, "33", "https://evil.example");

        other.ShouldBeServices(200);
        other.Headers["X-Name"].ShouldBe("x");
        other.Headers.Keys.Where(name => name.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase))
            .ShouldBeEmpty();
    }

    [Theory]
    [InlineData("shop", Shop, true)]
    [InlineData("shop", "https://eu.shop.example", true)]
    [InlineData("shop", "https://shop.example.evil", false)]
    [InlineData("shop", "http://shop.example", false)]
    [InlineData("shop", "null", false)]
    [InlineData("strict", Shop, false)]
    [InlineData("all", "https://anybody.example", true)]
    public async Task Preflight_OfAFencedWrite_IsAnsweredByTheGateway(string policy, string origin, bool allowed)
    {
        const string Puts = """, "Match": { "Path": "/orders/{id}", "Methods": [ "PUT" ] } """;
        await using var gateway = await FencedGateway.StartAsync(With(policy, route: Puts));

        var answer = await SendAsync(
            gateway, HttpMethod.Options, ("Origin", origin), ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "fencing-token,content-type"));

        answer.Status.ShouldBe(204);
        var methods = answer.Headers.GetValueOrDefault("Access-Control-Allow-Methods") ?? "";
        var headers = answer.Headers.GetValueOrDefault("Access-Control-Allow-Headers") ?? "";
        var isAllowed = answer.Headers.ContainsKey("Access-Control-Allow-Origin") && methods.Contains("PUT")
            && headers.Contains("fencing-token");
        isAllowed.ShouldBe(allowed);
        answer.Headers.GetValueOrDefault("Access-Control-Max-Age").ShouldBe(allowed && policy == "shop" ? "600" : null);
        gateway.Service.Entries.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("Disable")]
    [InlineData("")]
    public async Task RouteWithoutAPolicy_LeavesCorsToTheService(string policy)
    {
        await using var gateway = await FencedGateway.StartAsync(With(policy));

        var answer = await SendAsync(
            gateway, HttpMethod.Options, ("Origin", Shop), ("Access-Control-Request-Method", "PUT"));

        answer.ShouldBeServices(200);
        gateway.Service.Entries.ShouldHaveSingleItem().Method.ShouldBe("OPTIONS");
        (await PutAsync(gateway, null)).Headers.Keys.ShouldNotContain("Access-Control-Allow-Origin");
    }

    [Fact]
    public async Task Policy_ChangedInTheFile_CountsForTheNextRequest()
    {
        await using var gateway = await FencedGateway.StartAsync(With("strict"));
        const string Eu = "https://eu.shop.example";
        (await PutAsync(gateway, null, Eu)).Headers.Keys.ShouldNotContain("Access-Control-Allow-Origin");

        (await gateway.ReloadAsync(With("shop"))).Problems.ShouldBeEmpty();

        (await PutAsync(gateway, null, Eu)).Headers["Access-Control-Allow-Origin"].ShouldBe(Eu);
    }

    private static void ShouldBeReadable(Answer answer)
    {
        answer.Headers["Access-Control-Allow-Origin"].ShouldBe(Shop);
        answer.Headers["Access-Control-Allow-Credentials"].ShouldBe("true");
        answer.Headers["Access-Control-Expose-Headers"].ShouldContain("Proxy-Status");
        answer.Headers["Vary"].ShouldContain("Origin");
    }

    private static Task<Answer> PutAsync(FencedGateway gateway, string? token, string origin = Shop) =>
        SendAsync(
            gateway, HttpMethod.Put,
            token is null ? [("Origin", origin)] : [("Origin", origin), ("Fencing-Token", token)]);

    private static async Task<Answer> SendAsync(
        FencedGateway gateway, HttpMethod method, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, "/orders/1");
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        using var response = await gateway.Client.SendAsync(request);
        return await Answer.ReadAsync(response);
    }
}
