using System.Globalization;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.BadInput;

/// <summary>Where a request ends, and that nothing gets past the fence behind it.</summary>
public sealed class FramingTests() : BadInputTests(
    new { InDoubtHold = "00:00:00.001" }, ("all", TestGateway.Route("/{**path}", fenced: false)))
{
    private const string Token = "Fencing-Token: 5";
    private const string Smuggled = "PUT /orders/1 HTTP/1.1\r\nHost: gateway.test\r\nFencing-Token: 1\r\n\r\n";

    [Theory]
    [InlineData("Content-Length: 4\r\nTransfer-Encoding: chunked")]
    [InlineData("Transfer-Encoding: chunked\r\nContent-Length: 4")]
    [InlineData("Transfer-Encoding: chunked\r\nContent-Length: 0")]
    [InlineData("transfer-encoding:\tCHUNKED\r\ncontent-length: 4")]
    public async Task Framing_LengthAndChunked_Is400(string headers) =>
        await RefusedAsync(Request("PUT", "/orders/1", Token, headers) + "0\r\n\r\n", 400, Ambiguous);

    [Theory]
    [InlineData("Transfer-Encoding: chunked, chunked")]
    [InlineData("Transfer-Encoding: gzip, chunked")]
    [InlineData("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked")]
    public Task Framing_OtherCodings_Is400(string headers) =>
        RefusedAsync(Request("PUT", "/orders/1", Token, headers) + "0\r\n\r\n", 400, Ambiguous);

    /// <summary>Nothing of what the other reading takes for a second request arrives either.</summary>
    [Theory]
    [InlineData("Content-Length: 5\r\nTransfer-Encoding: chunked")]
    [InlineData("Content-Length: 200\r\nTransfer-Encoding: chunked")]
    public async Task Framing_LengthAndChunkedWithAnotherRequestBehind_LetsNeitherArrive(string headers)
    {
        await using var client = await RawHttpClient.ConnectAsync(Gateway.Port);
        await client.SendAsync(Request("PUT", "/orders/1", Token, headers) + "0\r\n\r\n" + Smuggled);
        ShouldBeProblem(await client.ReadResponseAsync(), 400, Ambiguous);
        await client.WaitForCloseAsync();
        Service.Entries.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("Content-Length: 4\r\nContent-Length: 4")]
    [InlineData("Content-Length: 4\r\nContent-Length: 5")]
    [InlineData("Content-Length: 4, 4")]
    [InlineData("Content-Length: -1")]
    [InlineData("Content-Length: 0x4")]
    [InlineData("Content-Length: 4 4")]
    [InlineData("Content-Length:")]
    [InlineData("Content-Length: 99999999999999999999")]
    [InlineData("Transfer-Encoding: identity")]
    [InlineData("Transfer-Encoding: xchunked")]
    [InlineData("Transfer-Encoding: chunked, identity")]
    [InlineData("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")]
    [InlineData("Transfer-Encoding : chunked")]
    [InlineData("Transfer-Encoding: \u000bchunked")]
    [InlineData("Transfer-Encoding:\r\n chunked")]
    public Task Framing_Unclear_IsRejectedByTheListener(string headers) =>
        RejectedByListenerAsync(Request("PUT", "/orders/1", Token, headers) + "0\r\n\r\n");

    /// <summary>
    /// The write was admitted, its head has left: whether the service does something with half a body, nobody knows.
    /// </summary>
    [Theory]
    [InlineData("zz\r\nbody\r\n0\r\n\r\n")]
    [InlineData("4\r\nbody!!0\r\n\r\n")]
    [InlineData("-4\r\nbody\r\n0\r\n\r\n")]
    [InlineData("0x4\r\nbody\r\n0\r\n\r\n")]
    [InlineData("FFFFFFFFFFFFFFFFF\r\nbody\r\n0\r\n\r\n")]
    [InlineData("4\nbody\n0\n\n")]
    [InlineData("\r\n4\r\nbody\r\n0\r\n\r\n")]
    public async Task Chunks_Malformed_Is400AndNothingIsApplied(string body)
    {
        var response = await SendAsync(Request("PUT", "/orders/1", Token, "Transfer-Encoding: chunked") + body);
        response.Status.ShouldBe(400, response.ToString());
        response.Value("Proxy-Status").ShouldBe("fencegateway; error=http_request_error; details=\"Bad Request\"");
        response.Text.ShouldContain("\"about:blank\"");

        (await SendAsync("PUT", "/orders/1", "Fencing-Token: 6")).Status.ShouldBe(200);
        Service.Entries.Where(e => e.Result == JournalResult.Applied).ShouldHaveSingleItem().Token.ShouldBe(6);
    }

    [Fact]
    public async Task Pipeline_StaleWriteBehindAGoodOne_IsFencedOnItsOwn()
    {
        await using var client = await RawHttpClient.ConnectAsync(Gateway.Port);
        await client.SendAsync(
            Request("PUT", "/orders/1", Token, "Content-Length: 4") + "body" + Smuggled
                + Request("PUT", "/orders/1", "Fencing-Token: 6"));
        (await client.ReadResponseAsync()).Status.ShouldBe(200);
        ShouldBeProblem(await client.ReadResponseAsync(), 409, Stale);
        (await client.ReadResponseAsync()).Status.ShouldBe(200);
        Service.Entries.Select(e => e.Token).ShouldBe([5, 6]);
    }

    /// <summary>The body of a refused write is not a request, however much it looks like one.</summary>
    [Fact]
    public async Task Body_OfARefusedWrite_IsNotTakenForARequest()
    {
        await using var client = await RawHttpClient.ConnectAsync(Gateway.Port);
        var body = Smuggled.Replace("Fencing-Token: 1", Token, StringComparison.Ordinal);
        await client.SendAsync(
            Request(
                "PUT", "/orders/1", "Fencing-Token: 05",
                $"Content-Length: {body.Length.ToString(CultureInfo.InvariantCulture)}")
            + body + Request("PUT", "/orders/2", Token));
        ShouldBeProblem(await client.ReadResponseAsync(), 400, Malformed);
        (await client.ReadResponseAsync()).Status.ShouldBe(200);
        Service.Entries.ShouldHaveSingleItem().Target.ShouldBe("/orders/2");
    }

    [Fact]
    public async Task Body_ThatNeverEnds_IsInDoubtAndDoesNotKeepTheNextHolderOut()
    {
        await using (var client = await RawHttpClient.ConnectAsync(Gateway.Port))
        {
            await client.SendAsync(
                Request("PUT", "/orders/1", Token, "Content-Length: 100000") + new string('x', 20_000));
            var arrival = await Service.NextArrivalAsync();
            await arrival.WaitForBodyAsync(8000);
            client.Abort();
            await arrival.WaitForEndAsync();
        }

        await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 6"));
        Service.Entries.Select(e => e.Result).ShouldBe([JournalResult.Aborted, JournalResult.Applied]);
    }

    /// <summary>
    /// HttpClient reads an HTTP/1.1 answer once it has sent the body, so the client gets the answer then.
    /// </summary>
    [Theory]
    [InlineData(413)]
    [InlineData(401)]
    [InlineData(200)]
    public async Task Answer_BeforeTheBodyWasRead_ReachesTheClientAndEndsTheWrite(int status)
    {
        Service.Script = entry => entry.Token == 5 ? ServiceAction.AnswerEarly(status, "early") : ServiceAction.Apply();
        var body = new string('x', 1_000_000);
        var response = await SendAsync(Request("PUT", "/orders/1", Token, "Content-Length: 1000000") + body);
        response.Status.ShouldBe(status, response.ToString());
        response.Text.ShouldBe("early");
        response.Value("Proxy-Status").ShouldBeNull();

        await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 6"));
        Service.Entries.Select(e => e.Token).ShouldBe([5, 6]);
    }

    [Fact]
    public async Task Answer_BeforeTheBodyWasSentByAClientThatGoesAway_LeavesTheFenceInOrder()
    {
        Service.Script = entry => entry.Token == 5 ? ServiceAction.AnswerEarly(413) : ServiceAction.Apply();
        await using (var client = await RawHttpClient.ConnectAsync(Gateway.Port))
        {
            await client.SendAsync(Request("PUT", "/orders/1", Token, "Content-Length: 1000000") + "first bytes");
            await (await Service.NextArrivalAsync()).WaitForEndAsync();
            client.Abort();
        }

        await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 6"));
        Service.Entries.Select(e => e.Token).ShouldBe([5, 6]);
    }

    [Theory]
    [InlineData("Connection: Upgrade", "Upgrade: websocket")]
    [InlineData("Connection: upgrade, keep-alive", "Upgrade: WebSocket")]
    [InlineData("Connection: Upgrade", "Upgrade: h2c, websocket")]
    [InlineData("Connection: Upgrade", "Upgrade: h2c\r\nUpgrade: websocket/13")]
    [InlineData("Connection: close", "Upgrade: websocket")]
    public async Task WebSocket_OnAFencedRoute_Is403(string connection, string upgrade)
    {
        string[] webSocket =
            [connection, upgrade, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
        await RefusedAsync(Request("GET", "/orders/1", webSocket), 403, "upgrade-not-fenced");
        await RefusedAsync(Request("GET", "/orders/1", [Token, .. webSocket]), 403, "upgrade-not-fenced");
        await RefusedAsync(Request("PUT", "/orders/1", [Token, .. webSocket]), 403, "upgrade-not-fenced");
    }

    /// <summary>
    /// An offer that a server may leave alone: clients that make it (JDK's, Apache's) go on without it.
    /// </summary>
    [Theory]
    [InlineData("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: "
        + "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA")]
    [InlineData("Connection: Upgrade", "Upgrade: TLS/1.2", "X-Other: x")]
    [InlineData("Connection: upgrade", "Upgrade: TLS/1.3, HTTP/2.0", "X-Other: x")]
    [InlineData("Connection: close", "Upgrade: h2c", "X-Other: x")]
    [InlineData("X-Other: x", "Upgrade: foo", "X-More: x")]
    [InlineData("Connection: Upgrade", "Upgrade: spdy/3.1", "X-Other: x")]
    public async Task OtherUpgrade_OnAFencedRoute_IsLeftAlone(string connection, string upgrade, string more)
    {
        foreach (var method in (string[])["GET", "DELETE", "POST"])
        {
            await PassesAsync(Request(method, "/orders/1", [Token, connection, upgrade, more]));
        }

        await PassesAsync(
            Request("PUT", "/orders/1", [Token, connection, upgrade, more, "Content-Length: 5"]) + "value");

        Service.Entries.Select(e => e.Method).ShouldBe(["GET", "DELETE", "POST", "PUT"]);
        Service.Entries[^1].BodyLength.ShouldBe(5);
        Service.Entries.ShouldAllBe(e => !e.Headers.ContainsKey("Upgrade") && !e.Headers.ContainsKey("HTTP2-Settings"));
    }

    [Fact]
    public async Task Connect_Is403()
    {
        await RefusedAsync(Request("CONNECT", "gateway.test:443", "Host: gateway.test:443"), 403, "upgrade-not-fenced");
        await RefusedAsync(
            Request("CONNECT", "gateway.test:443", "Host: gateway.test:443", Token), 403, "upgrade-not-fenced");
        await RejectedByListenerAsync(Request("CONNECT", "gateway.test:443", Token));
        await RefusedAsync(Request("CONNECT", "/orders/1", Token), 403, "upgrade-not-fenced");
        await RefusedAsync(Request("CONNECT", "http://gateway.test/orders/1", Token), 403, "upgrade-not-fenced");
    }
}
