namespace FenceGateway.Gateway.FunctionalTests.RateLimiting;

/// <summary>Whose limit a request counts for, with and without proxies in front.</summary>
public sealed class ClientAddressTests
{
    private const string TwoForEach =
        """ "Type": "FixedWindow", "PermitLimit": 2, "Window": "00:01:00", "PartitionBy": [ "ClientAddress" ] """;

    [Theory]
    [InlineData("")]
    [InlineData(""" "Requests": { "TrustedProxies": [ "192.0.2.0/24", "2001:db8::1" ] } """)]
    public async Task UntrustedPeer_WhateverItForwards_IsTheClientItself(string gatewaySettings)
    {
        await using var gateway = await LimitedGateway.StartAsync(TwoForEach, gateway: gatewaySettings);

        (await ForwardedAsync(gateway, "203.0.113.1")).ShouldBe(1);
        (await ForwardedAsync(gateway, "203.0.113.2")).ShouldBe(0);
        (await gateway.GetAsync("/orders/1", ("X-Forwarded-For", "203.0.113.3"), ("Forwarded", "for=203.0.113.4")))
            .ShouldBeLimited();
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.0/8")]
    public async Task TrustedProxy_SaysWhoTheClientIs(string proxy)
    {
        await using var gateway = await StartBehindAsync(proxy);

        (await ForwardedAsync(gateway, "203.0.113.1")).ShouldBe(1);
        (await ForwardedAsync(gateway, "203.0.113.2")).ShouldBe(1);
        (await ForwardedAsync(gateway, "203.0.113.1:4711")).ShouldBe(0);
        (await gateway.GetAsync("/orders/1", ("X-Forwarded-For", "203.0.113.1"))).ShouldBeLimited();
        (await ForwardedAsync(gateway, "2001:db8:1:2::1")).ShouldBe(1);
        (await ForwardedAsync(gateway, "2001:db8:1:2::2")).ShouldBe(0);
        (await ForwardedAsync(gateway, "2001:db8:1:3::1")).ShouldBe(1);
    }

    [Fact]
    public async Task TrustedProxy_WhatTheClientWroteInFront_IsNotBelieved()
    {
        await using var gateway = await StartBehindAsync("127.0.0.1", "192.0.2.7");

        (await ForwardedAsync(gateway, "10.0.0.1, 203.0.113.1")).ShouldBe(1);
        (await ForwardedAsync(gateway, "10.0.0.2, 203.0.113.1, 192.0.2.7")).ShouldBe(0);
        (await gateway.GetAsync("/orders/1", ("X-Forwarded-For", "10.0.0.3, 192.0.2.7, 203.0.113.1")))
            .ShouldBeLimited();
    }

    [Theory]
    [InlineData("unknown")]
    [InlineData("_hidden")]
    [InlineData("203.0.113.1, nonsense")]
    public async Task TrustedProxy_ThatSaysNothingUsable_IsTheClientItself(string forwarded)
    {
        await using var gateway = await StartBehindAsync("127.0.0.1");

        (await ForwardedAsync(gateway, forwarded)).ShouldBe(1);
        (await gateway.GetAsync("/orders/1")).RateLimit().Remaining.ShouldBe(0);
    }

    [Fact]
    public async Task TrustedProxy_ServiceLearnsTheClientsAddressAndTheProxys()
    {
        await using var gateway = await StartBehindAsync("127.0.0.1");

        await ForwardedAsync(gateway, "10.0.0.1, 203.0.113.1");

        gateway.Service.Entries.ShouldHaveSingleItem().Headers["X-Forwarded-For"].ShouldBe(
            ["10.0.0.1, 203.0.113.1, 127.0.0.1"]);
    }

    private static Task<Fence.FencedGateway> StartBehindAsync(params string[] proxies) => LimitedGateway.StartAsync(
        TwoForEach,
        gateway: $$""" "Requests": { "TrustedProxies": [ {{string.Join(", ", proxies.Select(p => $"\"{p}\""))}} ] } """);

    private static async Task<long> ForwardedAsync(Fence.FencedGateway gateway, string forwardedFor)
    {
        var answer = await gateway.GetAsync("/orders/1", ("X-Forwarded-For", forwardedFor));
        answer.ShouldBeServices(200);
        return answer.RateLimit().Remaining;
    }
}
