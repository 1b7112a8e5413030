using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.FunctionalTests.Resilience;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Forwarding;

/// <summary>
/// What the service has answered arrives as it is, and when it does: the gateway has nothing against it that HTTP has
/// not.
/// </summary>
public sealed class RelayTests
{
    /// <summary>Each character is one byte.</summary>
    [Theory]
    [InlineData("X-Name", "caf\u00e9")]
    [InlineData("X-Name", "caf\u00c3\u00a9")]
    [InlineData("Location", "/gr\u00fc\u00dfe")]
    [InlineData("Content-Disposition", "attachment; filename=\"r\u00e9sum\u00e9.pdf\"")]
    [InlineData("Server", "\u00a9 a service")]
    [InlineData("ETag", "\"\u00ff\"")]
    public async Task Answer_WithBytesThatAreNoAscii_IsRelayedOnce(string name, string value)
    {
        await using var service = new FaultyService();
        service.Script = _ => Raw($"HTTP/1.1 200 OK\r\n{name}: {value}\r\nContent-Length: 2\r\n\r\nok");
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "Retry": { "MaxAttempts": 3 }, "CircuitBreaker": {} """), _ => service.Address);

        foreach (var method in (string[])["GET", "PUT"])
        {
            var answer = await RawHttpClient.ExchangeAsync(
                gateway.Address.Port,
                RawHttpClient.Head($"{method} /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: "
                    + "1") + "x");
            (answer.Status, answer.Text).ShouldBe((200, "ok"));
            answer.Values(name).ShouldHaveSingleItem().ShouldBe(value);
        }

        service.Entries.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData("caf\u00c3\u00a9", "caf\u00e9")]
    [InlineData("\u00e2\u0082\u00ac 5", "\u20ac 5")]
    public async Task Request_WithUtf8_IsRelayed(string bytes, string text)
    {
        await using var gateway = await FencedGateway.StartAsync();

        var answer = await RawHttpClient.ExchangeAsync(gateway.Address.Port, RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", $"X-Name: {bytes}", "Content-Length: 0"));

        answer.Status.ShouldBe(200);
        gateway.Service.Entries.ShouldHaveSingleItem().Headers["X-Name"].ShouldBe([text]);
    }

    /// <summary>
    /// What is named there is between the client and the gateway. (Beside <c>keep-alive</c> and the like Kestrel shows
    /// no other name.)
    /// </summary>
    [Theory]
    [InlineData("X-Hop", "x-hop", "")]
    [InlineData("X-Other, x-hop ,", "X-Hop", "")]
    [InlineData("X-Other", "X-Hop", "a")]
    [InlineData("X-Other, close", "X-Hop", "a")]
    public async Task Request_WithHeadersThatConnectionNames_LosesThem(string connection, string name, string arrives)
    {
        await using var gateway = await FencedGateway.StartAsync();

        var answer = await RawHttpClient.ExchangeAsync(gateway.Address.Port, RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", $"Connection: {connection}", $"{name}: a",
            "Content-Length: 0"));

        answer.Status.ShouldBe(200);
        var headers = gateway.Service.Entries.ShouldHaveSingleItem().Headers;
        (headers.TryGetValue("X-Hop", out var values) ? string.Join(',', values) : "").ShouldBe(arrives);
    }

    [Fact]
    public async Task Request_ThatNamesItsFramingInConnection_KeepsIt()
    {
        await using var gateway = await FencedGateway.StartAsync();

        var answer = await RawHttpClient.ExchangeAsync(gateway.Address.Port, RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Connection: Content-Length, Host",
            "Content-Length: 5") + "value");

        answer.Status.ShouldBe(200);
        gateway.Service.Entries.ShouldHaveSingleItem().BodyLength.ShouldBe(5);
    }

    [Fact]
    public async Task Request_WithBytesThatAreNoUtf8_Is400AndNothingIsSent()
    {
        await using var gateway = await FencedGateway.StartAsync();

        var answer = await RawHttpClient.ExchangeAsync(gateway.Address.Port, RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "X-Name: caf\u00e9", "Content-Length: 0"));

        answer.Status.ShouldBe(400);
        gateway.Service.Entries.ShouldBeEmpty();
        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    [Theory]
    [InlineData("204 No Content", "Content-Length: 0")]
    [InlineData("205 Reset Content", "Content-Length: 0")]
    [InlineData("304 Not Modified", "Content-Length: 100")]
    public async Task Answer_ThatHasNoBodyAndSaysHowLongItIs_IsRelayed(string status, string length)
    {
        await using var service = new FaultyService();
        service.Script = _ => Raw($"HTTP/1.1 {status}\r\n{length}\r\nX-Name: x\r\n\r\n");
        await using var gateway = await FencedGateway.StartAsync(destination: _ => service.Address);

        foreach (var method in (string[])["GET", "PUT", "DELETE"])
        {
            var answer = await RawHttpClient.ExchangeAsync(gateway.Address.Port, RawHttpClient.Head(
                $"{method} /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: 0"));
            answer.Status.ShouldBe(int.Parse(status[..3], null));
            answer.Values("X-Name").ShouldBe(["x"]);
        }
    }

    [Theory]
    [InlineData("GET", "/open/1")]
    [InlineData("GET", "/orders/1")]
    [InlineData("PUT", "/orders/1")]
    public async Task Head_OfAStream_ArrivesBeforeAnythingOfIt(string method, string path)
    {
        await using var service = new FaultyService();
        service.Script = _ => new Fault("a stream", async e =>
        {
            await e.ReadBodyAsync();
            e.Apply();
            await e.SendAsync(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
            await e.StepAsync();
            await e.SendAsync("7\r\ndata: 1\r\n");
            await e.StepAsync();
            e.Ends(200);
            await e.SendAsync("0\r\n\r\n");
            return true;
        });
        await using var gateway = await FencedGateway.StartAsync(destination: _ => service.Address);
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendAsync(
            RawHttpClient.Head($"{method} {path} HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: 0"));
        var exchange = await service.NextArrivalAsync();

        (await client.ReadUntilAsync("\r\n\r\n")).ShouldStartWith("HTTP/1.1 200");
        exchange.Release();
        (await client.ReadUntilAsync("data: 1")).ShouldContain("data: 1");
        exchange.Release();
        await client.ReadUntilAsync("0\r\n\r\n");
    }

    /// <summary>A client that sends its body before it reads sees the answer, and no reset.</summary>
    [Theory]
    [InlineData(20_000_000, true)]
    [InlineData(20_000_000, false)]
    [InlineData(60_000_000, true)]
    [InlineData(60_000_000, false)]
    public async Task Refusal_BeforeALargeBodyWasRead_ReachesTheClient(int length, bool isKnown)
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);

        await client.SendHeadAsync(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33",
            isKnown ? $"Content-Length: {length}" : "Transfer-Encoding: chunked");
        await client.SendAsync(isKnown ? "" : $"{length:x}\r\n");
        await client.SendAsync(new byte[length]);

        (await client.ReadResponseAsync()).Status.ShouldBe(409);
    }

    private static Fault Raw(string answer) => new("raw", async e =>
    {
        await e.ReadBodyAsync();
        e.Apply();
        e.Ends(200);
        await e.SendAsync(answer);
        return true;
    });
}
