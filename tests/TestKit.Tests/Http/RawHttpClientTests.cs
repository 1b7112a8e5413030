using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FenceGateway.TestKit.Tests.Http;

public sealed class RawHttpClientTests
{
    [Fact]
    public async Task ExchangeAsync_Put_IsJournaledAsSent()
    {
        await using var service = await JournalService.StartAsync();

        var response = await RawHttpClient.ExchangeAsync(
            service.Port,
            RawHttpClient.Head(
                "PUT /orders/%31?a=b HTTP/1.1", "Host: x", "Fencing-Token: 33", "Two: a", "Two: b",
                "Content-Length: 5") + "hello");

        response.Status.ShouldBe(200);
        var entry = service.Entries.ShouldHaveSingleItem();
        entry.Method.ShouldBe("PUT");
        entry.Target.ShouldBe("/orders/%31?a=b");
        entry.Resource.ShouldBe("/orders/1");
        entry.Token.ShouldBe(33);
        entry.Headers["two"].ShouldBe(["a", "b"]);
        entry.BodyLength.ShouldBe(5);
        entry.Result.ShouldBe(JournalResult.Applied);
        entry.Protocol.ShouldBe("HTTP/1.1");
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", true)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "hello", false)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nT: "
        + "z\r\n\r\n", "hello", true)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "hel", false)]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nhello", "hello", true)]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", true)]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", "", true)]
    public async Task ReadResponseAsync_EachFraming_ReadsTheBody(string bytes, string body, bool complete)
    {
        var response = await AnswerOf(bytes, client => client.ReadResponseAsync());

        response.Text.ShouldBe(body);
        response.Complete.ShouldBe(complete);
    }

    [Fact]
    public async Task ReadResponseAsync_SeveralHeaderLines_KeepsEach()
    {
        var response = await AnswerOf(
            "HTTP/1.1 409 Conflict\r\nA: 1\r\na:2\r\nContent-Length: 0\r\n\r\n", client => client.ReadResponseAsync());

        response.Status.ShouldBe(409);
        response.Reason.ShouldBe("Conflict");
        response.Values("A").ShouldBe(["1", "2"]);
        response.Value("absent").ShouldBeNull();
    }

    [Fact]
    public async Task ReadResponseAsync_TwoOnOneConnection_KeepsThemApart()
    {
        const string Two =
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nb";

        var texts = await AnswerOf(Two, async client =>
            new[] { await client.ReadResponseAsync(), await client.ReadResponseAsync() }
                .Select(r => $"{r.Status} {r.Text}").ToArray());

        texts.ShouldBe(["200 a", "201 b"]);
    }

    [Fact]
    public async Task ReadResponseAsync_ClosedWithoutAnAnswer_Throws() =>
        await AnswerOf("", client => Should.ThrowAsync<EndOfStreamException>(() => client.ReadResponseAsync()));

    [Fact]
    public async Task ReadResponseAsync_NoAnswer_TimesOut()
    {
        await using var service = await JournalService.StartAsync();
        service.Script = _ => ServiceAction.Hold;
        await using var client = await RawHttpClient.ConnectAsync(service.Port, TimeSpan.FromMilliseconds(50));
        await client.SendHeadAsync("GET / HTTP/1.1", "Host: x");

        _ = await Should.ThrowAsync<TimeoutException>(() => client.ReadResponseAsync());
    }

    [Fact]
    public async Task SendChunkAsync_HeadAndBodyApart_ArriveAsOneRequest()
    {
        await using var service = await JournalService.StartAsync();
        service.Script = _ => ServiceAction.Hold;
        await using var client = await RawHttpClient.ConnectAsync(service.Port);

        await client.SendHeadAsync("POST /a HTTP/1.1", "Host: x", "Transfer-Encoding: chunked");
        var arrival = await service.NextArrivalAsync();
        await client.SendChunkAsync("abc");
        await arrival.WaitForBodyAsync(3);
        await client.SendChunkAsync("de");
        await client.SendChunkAsync("");
        arrival.Release(201);

        (await client.ReadResponseAsync()).Status.ShouldBe(201);
        arrival.Entry.BodyLength.ShouldBe(5);
    }

    [Fact]
    public async Task HalfClose_BeforeTheAnswer_AnswerCanStillBeRead()
    {
        // Not the journal service: Kestrel takes a half-closed connection for a client that went away.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var client = await RawHttpClient.ConnectAsync(((IPEndPoint)listener.LocalEndpoint).Port);
        using var socket = await listener.AcceptSocketAsync();

        client.HalfClose();

        (await socket.ReceiveAsync(new byte[1])).ShouldBe(0);
        _ = await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
        (await client.ReadResponseAsync()).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Abort_RequestHeld_ServiceSeesItsClientGo()
    {
        await using var service = await JournalService.StartAsync();
        service.Script = _ => ServiceAction.Hold;
        var client = await RawHttpClient.ConnectAsync(service.Port);
        await client.SendHeadAsync("GET / HTTP/1.1", "Host: x");
        var arrival = await service.NextArrivalAsync();

        client.Abort();

        await arrival.WaitForClientGoneAsync();
    }

    private static async Task<T> AnswerOf<T>(string bytes, Func<RawHttpClient, Task<T>> read)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var answering = AnswerAsync();
        await using var client = await RawHttpClient.ConnectAsync(((IPEndPoint)listener.LocalEndpoint).Port);
        await answering;
        return await read(client);

        async Task AnswerAsync()
        {
            using var socket = await listener.AcceptSocketAsync();
            _ = await socket.SendAsync(Encoding.Latin1.GetBytes(bytes));
            socket.Shutdown(SocketShutdown.Send);
        }
    }
}
