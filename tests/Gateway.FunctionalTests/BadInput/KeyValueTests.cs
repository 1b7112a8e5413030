using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.BadInput;

/// <summary>The host in the key: one for all its spellings.</summary>
public sealed class HostKeyTests() : BadInputTests(new { Resource = "{host}/{id}" })
{
    [Theory]
    [InlineData("gateway.test:8080")]
    [InlineData("GATEWAY.Test")]
    [InlineData("gateway.test.")]
    [InlineData("Gateway.TEST.:80")]
    public async Task Host_AnotherSpelling_NamesTheSameResource(string host)
    {
        await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 5"));
        await RefusedAsync(Request("PUT", "/orders/1", "Fencing-Token: 4", $"Host: {host}"), 409, Stale);
    }

    [Theory]
    [InlineData("other.test")]
    [InlineData("[::1]:80")]
    [InlineData("127.0.0.1")]
    public async Task Host_Another_IsAnotherResource(string host)
    {
        await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 5"));
        await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 4", $"Host: {host}"));
    }

    [Fact]
    public async Task Host_OfAnAbsoluteTarget_IsTheHostOfTheKey()
    {
        await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 5"));
        await RefusedAsync(Request("PUT", "http://gateway.test/orders/1", "Fencing-Token: 4"), 409, Stale);
        await RejectedByListenerAsync(Request("PUT", "http://other.test/orders/1", "Fencing-Token: 4"));
    }

    [Fact]
    public async Task Host_Missing_Is400()
    {
        await RejectedByListenerAsync("PUT /orders/1 HTTP/1.1\r\nFencing-Token: 5\r\n\r\n");
        await RefusedAsync(RawHttpClient.Head("PUT /orders/1 HTTP/1.1", "Host:", "Fencing-Token: 5"), 400, Ambiguous);
        await RefusedAsync(
            RawHttpClient.Head("PUT /orders/1 HTTP/1.0", "Content-Length: 0", "Fencing-Token: 5"), 400, Ambiguous);
    }

    [Theory]
    [InlineData("Host: gateway.test\r\nHost: other.test")]
    [InlineData("Host: gateway.test\r\nHost: gateway.test")]
    [InlineData("Host: gateway.test, other.test")]
    [InlineData("Host: gateway.test/x")]
    [InlineData("Host: user@gateway.test")]
    [InlineData("Host: gateway.test:x")]
    [InlineData("Host: gateway.test:")]
    [InlineData("Host: gateway test")]
    public Task Host_TwoOrNone_IsRejectedByTheListener(string host) =>
        RejectedByListenerAsync(Request("PUT", "/orders/1", "Fencing-Token: 5", host));

    /// <summary>What the service believes to be its host comes from the gateway.</summary>
    [Fact]
    public async Task Host_ForwardedByTheClient_IsReplaced()
    {
        var entry = await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 5", "X-Forwarded-Host: other.test"));
        entry.Headers["X-Forwarded-Host"].ShouldBe(["gateway.test"]);
    }
}

/// <summary>A query parameter in the key: exactly one value, the same to every parser.</summary>
public sealed class QueryKeyTests() : BadInputTests(
    new { Resource = "orders/{query:order_id}" }, ("orders", TestGateway.Route("/orders", fenced: true)))
{
    [Theory]
    [InlineData("order_id=1")]
    [InlineData("order_id=%31")]
    [InlineData("order%5Fid=1")]
    [InlineData("x=2&order_id=1&y=3")]
    [InlineData("&&order_id=1&")]
    [InlineData("Order_Id=1")]
    public async Task Query_AnotherWayToWriteIt_NamesTheSameResource(string query)
    {
        await PassesAsync(Request("PUT", $"/orders?{query}", "Fencing-Token: 5"));
        await RefusedAsync(Request("PUT", "/orders?order_id=1", "Fencing-Token: 4"), 409, Stale);
    }

    [Theory]
    [InlineData("order_id=1&order_id=1")]
    [InlineData("order_id=1&order_id=2")]
    [InlineData("order_id=1&order_id")]
    [InlineData("order_id&order_id=1")]
    [InlineData("order_id=1&ORDER_ID=2")]
    [InlineData("order_id=1&order%5Fid=2")]
    [InlineData("order_id[]=1&order_id=2")]
    [InlineData("order_id=1&order_id[]=2")]
    [InlineData("order_id=1&order_id%5B0%5D=2")]
    [InlineData("order_id=1;order_id=2")]
    [InlineData("order_id=1&x=1;y=2")]
    [InlineData("order_id=1+2")]
    [InlineData("order_id=+1")]
    [InlineData("order_id=%C0%B1")]
    [InlineData("order_id=%FF")]
    [InlineData("order_id=%zz")]
    [InlineData("order_id=1%")]
    [InlineData("order_id=%2531")]
    [InlineData("order_id=1%00")]
    [InlineData("order_id=1%0A")]
    [InlineData("order_id=1&+order_id=2")] // PHP takes away leading blanks,
    [InlineData("order_id=1&%20order_id=2")]
    [InlineData("order_id=1&order.id=2")] // and makes underscores of dots and blanks,
    [InlineData("order_id=1&order+id=2")]
    [InlineData("order_id=1&order%20id=2")]
    [InlineData("order_id=1&order_id%00=2")] // and ends at NUL.
    [InlineData("order_id=1&order_id%00x=2")]
    public Task Query_MoreThanOneReading_Is400(string query) =>
        RefusedAsync(Request("PUT", $"/orders?{query}", "Fencing-Token: 5"), 400, Ambiguous);

    [Theory]
    [InlineData("/orders")]
    [InlineData("/orders?")]
    [InlineData("/orders?order_id")]
    [InlineData("/orders?order_id=")]
    [InlineData("/orders?order=1")]
    [InlineData("/orders?x=order_id=1")]
    [InlineData("/orders?order_ids=1")]
    public Task Query_Missing_Is400(string target) =>
        RefusedAsync(Request("PUT", target, "Fencing-Token: 5"), 400, Ambiguous);

    [Fact]
    public async Task Query_HashInTheValue_StaysOneValueForTheService() =>
        (await PassesAsync(Request("PUT", "/orders?order_id=1#2", "Fencing-Token: 5"))).Target.ShouldBe(
            "/orders?order_id=1%232");

    [Fact]
    public async Task Query_OfTheSecondTarget_IsNotTheOneOfTheFirst()
    {
        foreach (var destination in new[] { "/orders?order_id=2", "/orders?order_id=1", "/orders" })
        {
            await RefusedAsync(
                Request("MOVE", "/orders?order_id=1", "Fencing-Token: 5", $"Destination: {destination}"), 400,
                "cross-resource");
        }
    }
}

/// <summary>A header in the key: exactly one value, which the service gets.</summary>
public sealed class HeaderKeyTests() : BadInputTests(new { Resource = "orders/{header:X-Order}" })
{
    [Theory]
    [InlineData("X-Order: 1")]
    [InlineData("x-order:\t1 ")]
    public async Task Header_AnotherWayToWriteIt_NamesTheSameResource(string header)
    {
        await PassesAsync(Request("PUT", "/orders/x", "Fencing-Token: 5", header));
        await RefusedAsync(Request("PUT", "/orders/y", "Fencing-Token: 4", "X-Order: 1"), 409, Stale);
    }

    [Theory]
    [InlineData("X-Other: 1")]
    [InlineData("X-Order:")]
    [InlineData("X-Order: 1\r\nX-Order: 1")]
    [InlineData("X-Order: 1\r\nX-Order: 2")]
    [InlineData("X-Order: 1\r\nX-Order:")]
    [InlineData("X-Order: 1, 2")]
    [InlineData("X-Order: 1\r\nConnection: X-Order")]
    [InlineData("X-Order: 1\r\nX_Order: 2")]
    public Task Header_MissingOrMoreThanOneReading_Is400(string headers) =>
        RefusedAsync(Request("PUT", "/orders/1", "Fencing-Token: 5", headers), 400, Ambiguous);
}
