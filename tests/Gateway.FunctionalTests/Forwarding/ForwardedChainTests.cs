using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.FunctionalTests.RateLimiting;

namespace FenceGateway.Gateway.FunctionalTests.Forwarding;

/// <summary>
/// What the service is told of a request's way: a trusted proxy's word is kept and extended, anybody else's is
/// replaced.
/// </summary>
public sealed class ForwardedChainTests
{
    private const string Trusted = """ "Requests": { "TrustedProxies": [ "127.0.0.0/8" ] } """;
    private const string TrustsOthers = """ "Requests": { "TrustedProxies": [ "192.0.2.7" ] } """;

    private static readonly (string Name, string Value)[] Said =
    [
        ("X-Forwarded-For", "203.0.113.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example"),
        ("X-Forwarded-Prefix", "/shop"), ("X-Forwarded-Port", "443"), ("X-Forwarded-Server", "edge-1"),
        ("X-Real-IP", "203.0.113.1"), ("Forwarded", "for=203.0.113.1;proto=https;host=shop.example"),
    ];

    [Theory]
    [InlineData("/orders/1")]
    [InlineData("/open/1")]
    public async Task TrustedProxy_WhatItSays_IsKeptAndExtended(string path)
    {
        await using var gateway = await FencedGateway.StartAsync(new GatewaySetup { Gateway = Trusted });

        (await gateway.GetAsync(path, Said)).ShouldBeServices(200);

        var arrived = gateway.Service.Entries.ShouldHaveSingleItem().Headers;
        arrived["X-Forwarded-For"].ShouldBe(["203.0.113.1, 127.0.0.1"]);
        arrived["X-Forwarded-Proto"].ShouldBe(["https"]);
        arrived["X-Forwarded-Host"].ShouldBe(["shop.example"]);
        arrived["X-Forwarded-Prefix"].ShouldBe(["/shop"]);
        arrived["X-Forwarded-Port"].ShouldBe(["443"]);
        arrived["X-Forwarded-Server"].ShouldBe(["edge-1"]);
        arrived["X-Real-IP"].ShouldBe(["203.0.113.1"]);
        arrived["Forwarded"].ShouldBe(["for=203.0.113.1;proto=https;host=shop.example, for=127.0.0.1"]);
        arrived.Keys.ShouldNotContain("X-Original-For");
    }

    [Fact]
    public async Task TrustedProxy_WhatItDoesNotSay_IsWhatTheGatewaySees()
    {
        await using var gateway = await FencedGateway.StartAsync(new GatewaySetup { Gateway = Trusted });

        (await gateway.GetAsync("/orders/1")).ShouldBeServices(200);

        var arrived = gateway.Service.Entries.ShouldHaveSingleItem().Headers;
        arrived["X-Forwarded-For"].ShouldBe(["127.0.0.1"]);
        arrived["X-Forwarded-Proto"].ShouldBe(["http"]);
        arrived["X-Forwarded-Host"].ShouldBe([gateway.Address.Authority]);
        arrived.Keys.ShouldNotContain("Forwarded");
    }

    [Theory]
    [InlineData("", "/orders/1")]
    [InlineData("", "/open/1")]
    [InlineData(TrustsOthers, "/orders/1")]
    public async Task AnybodyElse_WhatItSays_IsReplaced(string settings, string path)
    {
        await using var gateway = await FencedGateway.StartAsync(new GatewaySetup { Gateway = settings });

        (await gateway.GetAsync(path, Said)).ShouldBeServices(200);

        var arrived = gateway.Service.Entries.ShouldHaveSingleItem().Headers;
        arrived["X-Forwarded-For"].ShouldBe(["127.0.0.1"]);
        arrived["X-Forwarded-Proto"].ShouldBe(["http"]);
        arrived["X-Forwarded-Host"].ShouldBe([gateway.Address.Authority]);
        string[] taken = ["X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-IP", "Forwarded"];
        arrived.Keys.Intersect(taken, StringComparer.OrdinalIgnoreCase).ShouldBeEmpty();
    }

    /// <summary>The fence and the service read one host, the request's own, whoever sends it.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(Trusted)]
    public async Task ResourceNamedByHost_IsNotSteeredByAForwardedHost(string settings)
    {
        await using var gateway = await FencedGateway.StartAsync(
            new GatewaySetup { Gateway = settings, Policy = """ "Resource": "{host}/{id}" """ });
        (await gateway.PutAsync(34)).ShouldBeServices(200);

        var late = await gateway.GetAsync("/orders/1", [.. Said, ("Fencing-Token", "33")]);

        late.ShouldBeProblem(409, "fencing-token-stale");
        late.Json.GetProperty("resource").GetString().ShouldBe("127.0.0.1/1");
        late.Json.GetProperty("instance").GetString().ShouldBe("/orders/1");
        (await gateway.GetAsync("/orders/1", [.. Said, ("Fencing-Token", "34")])).ShouldBeServices(200);
        var arrived = gateway.Service.Entries[^1].Headers;
        arrived["X-Forwarded-Host"].ShouldBe([gateway.Address.Authority]);
        arrived.Keys.ShouldNotContain("Forwarded");
    }

    [Fact]
    public async Task RouteWithATransformForThem_HasItsOwnWay()
    {
        await using var gateway = await FencedGateway.StartAsync(new GatewaySetup
        {
            Gateway = Trusted,
            Route = """ "Transforms": [ { "X-Forwarded": "Off", "Proto": "Set" } ] """,
        });

        (await gateway.GetAsync("/orders/1", Said)).ShouldBeServices(200);

        var arrived = gateway.Service.Entries.ShouldHaveSingleItem().Headers;
        arrived["X-Forwarded-Proto"].ShouldBe(["http"]);
        arrived["X-Forwarded-Host"].ShouldBe(["shop.example"]);
    }
}
