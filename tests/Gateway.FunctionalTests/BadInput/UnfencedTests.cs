namespace FenceGateway.Gateway.FunctionalTests.BadInput;

/// <summary>Ways to a fenced service that lead past the fenced route.</summary>
public sealed class BypassTests() : BadInputTests(
    policy: null,
    ("public", TestGateway.Route("/public/{**path}", fenced: false)),
    ("again", TestGateway.Route("/again/{**path}", fenced: false, cluster: "again")),
    ("open", TestGateway.Route("/open/{**path}", fenced: false, cluster: "open")))
{
    [Theory]
    [InlineData("/public/..%2Forders/1")]
    [InlineData("/public/%2e%2e/orders/1")]
    [InlineData("/public/../orders/1")]
    [InlineData("/public/..\\orders/1")]
    [InlineData("/public/..;/orders/1")]
    [InlineData("/public//orders/1")]
    [InlineData("/public/%252e%252e/orders/1")]
    [InlineData("/again/..%2Forders/1")]
    [InlineData("//orders/1")]
    [InlineData("/;x/orders/1")]
    [InlineData("/open/../public/..%2Forders/1")]
    public async Task UnfencedRouteToAFencedService_AmbiguousTarget_Is400(string target)
    {
        await RefusedAsync(Request("PUT", target), 400, Ambiguous);
        await RefusedAsync(Request("PUT", target, "Fencing-Token: 5"), 400, Ambiguous);
        await RefusedAsync(Request("get", target), 400, Ambiguous);
    }

    [Theory]
    [InlineData("/open/..%2Forders/1")]
    [InlineData("/open//orders/1")]
    [InlineData("/open/a;b")]
    public async Task RouteToAnUnfencedService_AmbiguousTarget_Passes(string target)
    {
        await PassesAsync(Request("PUT", target), Gateway.Open);
        Service.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task NoRoute_Is404()
    {
        var response = await SendAsync("PUT", "/elsewhere");
        response.Status.ShouldBe(404);
        response.Value("Proxy-Status").ShouldBe("fencegateway; error=destination_not_found; details=\"Not Found\"");
    }

    [Fact]
    public async Task UnfencedRoute_Token_IsNobodysBusiness()
    {
        var entry = await PassesAsync(Request("PUT", "/public/x", "Fencing-Token: 05"));
        entry.Headers["Fencing-Token"].ShouldBe(["05"]);
    }
}

/// <summary>
/// A fenced route for one method beside an open one for the rest: the method's case does not choose the route.
/// </summary>
public sealed class MethodRouteTests() : BadInputTests(
    policy: null,
    ("orders", TestGateway.Route("/orders/{id}", true, "orders", "PUT")),
    ("rest", TestGateway.Route("/orders/{id}", false, "orders", "GET")))
{
    [Theory]
    [InlineData("PUT")]
    [InlineData("put")]
    [InlineData("Put")]
    public Task Method_InAnyCase_TakesTheFencedRoute(string method) =>
        RefusedAsync(Request(method, "/orders/1"), 428, Required);

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT2")]
    [InlineData("\u0130PUT")]
    public async Task Method_OfNoRoute_DoesNotArrive(string method)
    {
        (await SendAsync(method, "/orders/1")).Status.ShouldBeOneOf(400, 405);
        Service.Entries.ShouldBeEmpty();
    }
}

/// <summary><c>MissingToken: Allow</c>: what is not fenced does not look as if it were.</summary>
public sealed class MissingTokenAllowedTests() : BadInputTests(
    new { MissingToken = "Allow", HeaderAliases = new[] { "X-Fencing-Token" } })
{
    [Theory]
    [InlineData("Fencing_Token: 5")]
    [InlineData("X_Fencing_Token: 5")]
    [InlineData("X-Fencing_Token: 5")]
    [InlineData("fencing_token: 5")]
    [InlineData("fencing.token: 5")]
    [InlineData("X~Fencing%Token: 5")]
    public async Task Write_WithALookalikeOnly_ArrivesWithoutIt(string header)
    {
        var entry = await PassesAsync(Request("PUT", "/orders/1", header, "X-Other: kept"));
        entry.Headers.Keys.ShouldNotContain(k => k.Contains("Token", StringComparison.OrdinalIgnoreCase));
        entry.Headers["X-Other"].ShouldBe(["kept"]);
    }

    [Fact]
    public async Task Write_WithoutToken_PassesWhateverTheMark()
    {
        await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 5"));
        (await PassesAsync(Request("PUT", "/orders/1"))).Token.ShouldBeNull();
        await RefusedAsync(Request("PUT", "/orders/1", "Fencing-Token: 4"), 409, Stale);
    }

    [Theory]
    [InlineData("Fencing-Token: 05")]
    [InlineData("Fencing-Token:")]
    [InlineData("Fencing-Token: 5\r\nX-Fencing-Token: 5")]
    public Task Write_WithAMalformedToken_IsStill400(string header) =>
        RefusedAsync(Request("PUT", "/orders/1", header), 400, Malformed);

    [Theory]
    [InlineData("/orders/1%2F2")]
    [InlineData("/orders//1")]
    public Task Write_WithoutTokenToAnAmbiguousTarget_IsStill400(string target) =>
        RefusedAsync(Request("PUT", target), 400, Ambiguous);
}
