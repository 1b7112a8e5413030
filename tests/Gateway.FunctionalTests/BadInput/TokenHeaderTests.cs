using System.Net;
using System.Net.Sockets;
using System.Text;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.BadInput;

/// <summary>Exactly one well-formed token in the header, or no write.</summary>
public sealed class TokenHeaderTests() : BadInputTests(new { HeaderAliases = new[] { "X-Fencing-Token" } })
{
    [Theory]
    [InlineData("PUT")]
    [InlineData("POST")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    [InlineData("MKCOL")]
    [InlineData("FOO")]
    [InlineData("get")]
    [InlineData("Get")]
    [InlineData("GETX")]
    [InlineData("options")]
    public Task Write_WithoutToken_Is428(string method) => RefusedAsync(Request(method, "/orders/1"), 428, Required);

    [Fact]
    public async Task Read_WithoutToken_Passes() =>
        (await PassesAsync(Request("GET", "/orders/1"))).Token.ShouldBeNull();

    [Theory]
    [InlineData("Fencing-Token:")]
    [InlineData("Fencing-Token: ")]
    [InlineData("Fencing-Token: 0")]
    [InlineData("Fencing-Token: -1")]
    [InlineData("Fencing-Token: +5")]
    [InlineData("Fencing-Token: 05")]
    [InlineData("Fencing-Token: 5.0")]
    [InlineData("Fencing-Token: 5e0")]
    [InlineData("Fencing-Token: 0x5")]
    [InlineData("Fencing-Token: \"5\"")]
    [InlineData("Fencing-Token: '5'")]
    [InlineData("Fencing-Token: 5 6")]
    [InlineData("Fencing-Token: 5\t6")]
    [InlineData("Fencing-Token: 5, 6")]
    [InlineData("Fencing-Token: 5,")]
    [InlineData("Fencing-Token: 5;v=2")]
    [InlineData("Fencing-Token: 1_000")]
    [InlineData("Fencing-Token: %35")]
    [InlineData("Fencing-Token: five")]
    [InlineData("Fencing-Token: 9223372036854775808")]
    [InlineData("Fencing-Token: 18446744073709551616")]
    [InlineData("Fencing-Token: 18446744073709551621")]
    [InlineData("Fencing-Token: 99999999999999999999999999")]
    public Task Token_Malformed_Is400(string header) =>
        RefusedAsync(Request("PUT", "/orders/1", header), 400, Malformed);

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    public async Task Token_MalformedOnARead_Is400(string method)
    {
        var before = Service.Entries.Count;
        var response = await SendAsync(method, "/orders/1", "Fencing-Token: 05");
        response.Status.ShouldBe(400);
        response.Value("Proxy-Status").ShouldBe(
            "fencegateway; error=http_request_error; details=\"fencing-token-malformed\"");
        Service.Entries.Count.ShouldBe(before);
    }

    [Theory]
    [InlineData("٥")]
    [InlineData("５")]
    [InlineData("5\u200B")]
    [InlineData("\uFEFF5")]
    [InlineData("5\u00A0")]
    [InlineData("𝟝")]
    public async Task Token_UnicodeDigitsOrBlanks_Is400(string token)
    {
        // The client sends characters as bytes: these are the UTF-8 bytes.
        var bytes = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(token));
        await RefusedAsync(Request("PUT", "/orders/1", $"Fencing-Token: {bytes}"), 400, Malformed);
    }

    [Fact]
    public Task Token_BytesThatAreNotUtf8_Is400() =>
        RejectedByListenerAsync(Request("PUT", "/orders/1", "Fencing-Token: 5\u00B2"));

    [Fact]
    public Task Token_TenKilobytesOfDigits_Is400() =>
        RefusedAsync(Request("PUT", "/orders/1", "Fencing-Token: " + new string('1', 10_000)), 400, Malformed);

    [Theory]
    [InlineData("Fencing-Token: 9223372036854775807", "9223372036854775807")]
    [InlineData("fencing-token: 5", "5")]
    [InlineData("FENCING-TOKEN:5", "5")]
    [InlineData("Fencing-Token: \t 5 \t", "5")]
    [InlineData("X-Fencing-Token: 5", "5")]
    public async Task Token_WellFormed_ArrivesOnceInTheCanonicalHeader(string header, string token)
    {
        var entry = await PassesAsync(Request("PUT", "/orders/1", header));
        entry.Headers["Fencing-Token"].ShouldBe([token]);
        entry.Headers.Keys.ShouldNotContain("X-Fencing-Token");
    }

    [Theory]
    [InlineData("Fencing-Token: 5", "Fencing-Token: 5")]
    [InlineData("Fencing-Token: 5", "Fencing-Token: 6")]
    [InlineData("Fencing-Token: 5", "Fencing-Token:")]
    [InlineData("Fencing-Token:", "Fencing-Token: 5")]
    [InlineData("Fencing-Token: 5", "fencing-token: 5")]
    [InlineData("Fencing-Token: 5", "X-Fencing-Token: 5")]
    [InlineData("X-Fencing-Token: 6", "Fencing-Token: 5")]
    [InlineData("X-Fencing-Token: 5", "X-Fencing-Token: 5")]
    [InlineData("Fencing-Token: 5", "X-Fencing-Token:")]
    [InlineData("Fencing-Token: 5", "Fencing_Token: 5")]
    [InlineData("Fencing_Token: 6", "Fencing-Token: 5")]
    [InlineData("Fencing-Token: 5", "X_Fencing_Token: 5")]
    [InlineData("Fencing-Token: 5", "X-Fencing_Token: 5")]
    [InlineData("X-Fencing-Token: 5", "fencing_TOKEN: 5")]
    [InlineData("Fencing-Token: 5", "Fencing.Token: 6")]
    [InlineData("Fencing~Token: 6", "Fencing-Token: 5")]
    [InlineData("X-Fencing-Token: 5", "x'fencing+token: 6")]
    public Task Token_TwoHeaders_Is400(string first, string second) =>
        RefusedAsync(Request("PUT", "/orders/1", first, second), 400, Malformed);

    [Theory]
    [InlineData("Fencing_Token: 5")]
    [InlineData("X_Fencing_Token: 5")]
    [InlineData("X-Fencing_Token: 5")]
    [InlineData("Fencing.Token: 5")]
    [InlineData("Fencing~Token: 5")]
    [InlineData("FencingToken: 5")]
    [InlineData("Fencing-Token2: 5")]
    public Task Token_InALookalikeAlone_Is428(string header) =>
        RefusedAsync(Request("PUT", "/orders/1", header), 428, Required);

    [Fact]
    public async Task Token_InALookalikeOfARead_DoesNotReachTheService()
    {
        var entry = await PassesAsync(
            Request(
                "GET", "/orders/1", "Fencing_Token: 5", "X-Fencing_Token: 6", "Fencing!Token: 7",
                "x.fencing|token: 8"));
        entry.Headers.Keys.ShouldNotContain(k => k.Contains("token", StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("Connection: Fencing-Token")]
    [InlineData("Connection: fencing-token")]
    [InlineData("connection: FENCING-TOKEN")]
    [InlineData("Connection: X-Other, Fencing-Token")]
    [InlineData("Connection: Fencing-Token\t,X-Other")]
    [InlineData("Connection: ,,Fencing-Token,")]
    [InlineData("Connection: X-Other\r\nConnection: Fencing-Token")]
    [InlineData("Connection: X-Fencing-Token")]
    [InlineData("Connection: Fencing_Token")]
    [InlineData("Connection: X-Other, fencing.token")]
    public async Task Token_NamedByConnection_Is400(string connection)
    {
        await RefusedAsync(Request("PUT", "/orders/1", "Fencing-Token: 5", connection), 400, Malformed);
        await RefusedAsync(Request("PUT", "/orders/1", connection, "Fencing-Token: 5"), 400, Malformed);
    }

    [Theory]
    [InlineData("Connection: close")]
    [InlineData("Connection: Fencing-Token2")]
    [InlineData("Connection: X-Other")]
    public async Task Token_ConnectionNamesOtherHeaders_Passes(string connection)
    {
        var entry = await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 5", connection));
        entry.Headers["Fencing-Token"].ShouldBe(["5"]);
    }

    /// <summary>
    /// The listener hides what else such a header names; the token is no less end to end: YARP removes nothing for it.
    /// </summary>
    [Theory]
    [InlineData("Connection: close, Fencing-Token")]
    [InlineData("Connection: Fencing-Token\t,close")]
    [InlineData("Connection: close\r\nConnection: Fencing-Token")]
    [InlineData("Connection: keep-alive, Fencing-Token")]
    [InlineData("Connection: Fencing-Token, keep-alive")]
    [InlineData("Connection: keep-alive\r\nConnection: Fencing-Token")]
    public async Task Token_NamedByConnectionNextToAnOptionOfItsOwn_IsStillFencedAndForwarded(string connection)
    {
        (await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 5", connection))).Headers["Fencing-Token"]
            .ShouldBe(["5"]);
        await RefusedAsync(Request("PUT", "/orders/1", "Fencing-Token: 4", connection), 409, Stale);
    }

    [Fact]
    public async Task Token_InTrailersOnly_Is428()
    {
        await RefusedAsync(
            Request("PUT", "/orders/1", "Transfer-Encoding: chunked", "Trailer: Fencing-Token")
                + "1\r\nx\r\n0\r\nFencing-Token: 5\r\n\r\n",
            428, Required);
        await RefusedAsync(
            Request("PUT", "/orders/1", "Transfer-Encoding: chunked") + "0\r\nFencing-Token: 5\r\n\r\n", 428, Required);
    }

    [Fact]
    public async Task Token_AnotherOneInTrailers_IsNotTheOneThatCounts()
    {
        var entry = await PassesAsync(
            Request("PUT", "/orders/1", "Fencing-Token: 5", "Transfer-Encoding: chunked")
            + "1\r\nx\r\n0\r\nFencing-Token: 99\r\n\r\n");
        entry.Headers["Fencing-Token"].ShouldBe(["5"]);
        await PassesAsync(Request("PUT", "/orders/1", "Fencing-Token: 6"));
    }

    [Fact]
    public async Task Token_OrALookalikeInTrailers_DoesNotReachTheService()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/");
        await using var gateway = await FencedGateway.StartAsync(destination: _ => address);
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendAsync(
            Request("PUT", "/orders/1", "Fencing-Token: 5", "Transfer-Encoding: chunked")
            + "1\r\nx\r\n0\r\nFencing-Token: 99\r\nFencing.Token: 98\r\nFencing_Token: 97\r\n\r\n");

        using var service = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
        var received = new StringBuilder();
        var buffer = new byte[4096];
        while (!received.ToString().EndsWith("0\r\n\r\n", StringComparison.Ordinal))
        {
            var count = await service.GetStream().ReadAsync(buffer, TestContext.Current.CancellationToken);
            count.ShouldBeGreaterThan(0, received.ToString());
            received.Append(Encoding.Latin1.GetString(buffer, 0, count));
        }

        await service.GetStream().WriteAsync(
            "HTTP/1.1 204 No Content\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        (await client.ReadResponseAsync()).Status.ShouldBe(204);
        received.ToString().Split("\r\n").Where(line => line.StartsWith("fencing", StringComparison.OrdinalIgnoreCase))
            .ShouldHaveSingleItem().ShouldBe("Fencing-Token: 5");
    }

    /// <summary>
    /// A lone line feed ends a line to some servers and not to others: what is one header to the gateway would be two
    /// to them.
    /// </summary>
    [Theory]
    [InlineData("X-Other: a\nFencing-Token: 5")]
    [InlineData("Fencing-Token: 5\nX-Other: a")]
    [InlineData("Fencing-Token: 5\n")]
    [InlineData("Fencing-Token: 5\nContent-Length: 0")]
    public Task Header_EndedByALoneLineFeed_IsRejectedByTheListener(string header) =>
        RejectedByListenerAsync(Request("PUT", "/orders/1", header));

    [Fact]
    public async Task RequestLine_EndedByALoneLineFeed_IsRejectedByTheListener()
    {
        await RejectedByListenerAsync("PUT /orders/1 HTTP/1.1\nHost: gateway.test\r\nFencing-Token: 5\r\n\r\n");
        await RejectedByListenerAsync("PUT /orders/1 HTTP/1.1\r\nHost: gateway.test\r\nFencing-Token: 5\r\n\n");
    }

    [Theory]
    [InlineData("Fencing-Token: 5\0")]
    [InlineData("Fencing-Token: \05")]
    [InlineData("Fencing-Token: 5\r6")]
    [InlineData("Fencing-Token: 5\r")]
    [InlineData("Fencing-Token: 5\n6")]
    [InlineData("Fencing-Token: 5\r\n 6")]
    [InlineData("Fencing-Token:\r\n 5")]
    [InlineData("Fencing-Token:\r\n\t5")]
    [InlineData("Fencing-Token : 5")]
    [InlineData("Fencing-Token\t: 5")]
    [InlineData(" Fencing-Token: 5")]
    [InlineData("Fencing-Token\0: 5")]
    [InlineData("Fencing-Token: 5\r\nNo colon")]
    public Task Header_BreaksItsLine_IsRejectedByTheListener(string header) =>
        RejectedByListenerAsync(Request("PUT", "/orders/1", header));

    [Theory]
    [InlineData("X-HTTP-Method-Override: DELETE")]
    [InlineData("x-http-method-override: GET")]
    [InlineData("X-HTTP-Method: PUT")]
    [InlineData("X-Method-Override: PATCH")]
    [InlineData("X-HTTP-Method-Override:")]
    [InlineData("X_HTTP_Method_Override: DELETE")]
    [InlineData("x.http.method: PUT")]
    public async Task Method_Overridden_Is400(string header)
    {
        await RefusedAsync(Request("POST", "/orders/1", "Fencing-Token: 5", header), 400, Ambiguous);
        await RefusedAsync(Request("GET", "/orders/1", header), 400, Ambiguous);
    }

    [Theory]
    [InlineData("FOO", "FOO")]
    [InlineData("get", "GET")] // Whatever the service makes of it: YARP sends known methods in upper case.
    [InlineData("pUt", "PUT")]
    public async Task Method_UnknownOrInAnotherCase_CountsAsAWrite(string method, string sent)
    {
        (await PassesAsync(Request(method, "/orders/1", "Fencing-Token: 5"))).Method.ShouldBe(sent);
        await RefusedAsync(Request(method, "/orders/1", "Fencing-Token: 4"), 409, Stale);
    }
}
