using System.Net;
using System.Net.Sockets;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>One admission is at most one send to the service (I6), and what is sent.</summary>
public sealed class SingleSendTests
{
    [Theory]
    [InlineData("DELETE /orders/1 HTTP/1.1", "")]
    [InlineData("POST /orders/1 HTTP/1.1", "Content-Length: 0\r\n")]
    [InlineData("PURGE /orders/1 HTTP/1.1", "")]
    public async Task WriteWithoutABody_ServiceClosesAReusedConnection_ArrivesOnce(string requestLine, string more)
    {
        using var service = new ClosingService();
        await using var gateway = await FencedGateway.StartAsync(destination: _ => service.Address);
        var (_, port) = (service.RunAsync(), gateway.Address.Port);
        var request = $"{requestLine}\r\nHost: test\r\nFencing-Token: 33\r\n{more}\r\n";
        (await RawHttpClient.ExchangeAsync(port, request)).Status.ShouldBe(200);

        var response = await RawHttpClient.ExchangeAsync(port, request);

        response.Status.ShouldBe(502);
        service.Requests.ShouldBe(
            [1, 1], "the second request came on the connection of the first, and nothing after it");
    }

    [Fact]
    public async Task Delete_ServiceResetsAReusedConnection_ArrivesOnce()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(33)).ShouldBeServices(200);
        gateway.Service.Script = _ => ServiceAction.Reset(applied: true);

        var response = await RawHttpClient.ExchangeAsync(
            gateway.Address.Port, RawHttpClient.Head("DELETE /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33"));

        response.Status.ShouldBe(502);
        gateway.Service.Entries.Count(e => e.Method == "DELETE").ShouldBe(1);
    }

    /// <summary>
    /// HttpClient takes both for leave to send the request again, without another look at the fence: it does not get
    /// beyond the head.
    /// </summary>
    [Theory]
    [InlineData("DELETE", true)]
    [InlineData("DELETE", false)]
    [InlineData("PUT", true)]
    [InlineData("PUT", false)]
    public async Task Http2_ServiceRefusesTheStreamOrSaysGoodbye_ArrivesOnce(string method, bool goodbye)
    {
        using var service = new RefusingHttp2Service(goodbye);
        await using var gateway = await FencedGateway.StartAsync(
            new() { Cluster = """ "HttpRequest": { "Version": "2", "VersionPolicy": "RequestVersionExact" } """ }, _ => service.Address);

        var response = await RawHttpClient.ExchangeAsync(gateway.Address.Port, RawHttpClient.Head(
            $"{method} /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33",
            method == "PUT" ? "Content-Length: 1" : "Accept: */*")
            + (method == "PUT" ? "x" : ""));

        response.Status.ShouldBe(502);
        service.Requests.ShouldBe(1);
    }

    [Fact]
    public async Task AliasHeader_IsForwardedAsTheCanonicalOneAlone()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "HeaderAliases": [ "X-Lock-Token" ] """ });

        var response = await RawHttpClient.ExchangeAsync(
            gateway.Address.Port,
            RawHttpClient.Head("PUT /orders/1 HTTP/1.1", "Host: test", "X-Lock-Token: 33", "Content-Length: 0"));

        response.Status.ShouldBe(200);
        var headers = gateway.Service.Entries[0].Headers;
        headers["Fencing-Token"].ShouldBe(["33"]);
        headers.Keys.ShouldNotContain("X-Lock-Token");
    }

    [Fact]
    public async Task Expect_IsAnsweredByTheGatewayAndNotForwarded()
    {
        await using var gateway = await FencedGateway.StartAsync();
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendHeadAsync(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Expect: 100-continue", "Content-Length: 1");
        await client.ReadUntilAsync("100 Continue\r\n\r\n");
        await client.SendAsync("x");

        (await client.ReadResponseAsync()).Status.ShouldBe(200);
        gateway.Service.Entries[0].Headers.Keys.ShouldNotContain("Expect");
        gateway.Service.Entries[0].BodyLength.ShouldBe(1);
    }

    [Fact]
    public async Task Expect_StaleToken_IsRefusedBeforeTheBodyIsAskedFor()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendHeadAsync(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Expect: 100-continue", "Content-Length: 1");

        var response = await client.ReadResponseAsync();

        response.Status.ShouldBe(409);
        response.Interim.ShouldBeEmpty();
    }

    /// <summary>
    /// Refuses each request that is complete, or the whole connection, as not processed (RFC 9113, 8.7).
    /// </summary>
    private sealed class RefusingHttp2Service : IDisposable
    {
        private const byte Data = 0, Headers = 1, ResetStream = 3, Settings = 4, GoAway = 7, Ack = 1, EndStream = 1;
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly bool _goodbye;
        private int _requests;

        public RefusingHttp2Service(bool goodbye)
        {
            _goodbye = goodbye;
            _listener.Start();
            _ = RunAsync();
        }

        public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

        public int Requests => Volatile.Read(ref _requests);

        public void Dispose() => _listener.Dispose();

        private async Task RunAsync()
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync());
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            using var connection = client;
            var stream = client.GetStream();
            var head = new byte[24];
            await stream.ReadExactlyAsync(head);
            await stream.WriteAsync(Frame(Settings, 0, 0, []));
            while (await stream.ReadAtLeastAsync(head.AsMemory(0, 9), 9, throwOnEndOfStream: false) == 9)
            {
                var (length, type, flags, id) = ((head[0] << 16) | (head[1] << 8) | head[2], head[3], head[4], head[8]);
                await stream.ReadExactlyAsync(new byte[length]);
                if (type == Settings && flags != Ack)
                {
                    await stream.WriteAsync(Frame(Settings, Ack, 0, []));
                }
                else if (type is Headers or Data && (flags & EndStream) != 0)
                {
                    _ = Interlocked.Increment(ref _requests);
                    await stream.WriteAsync(
                        _goodbye ? Frame(GoAway, 0, 0, new byte[8]) : Frame(ResetStream, 0, id, [0, 0, 0, 7]));
                }
            }
        }

        private static byte[] Frame(byte type, byte flags, byte id, byte[] payload) =>
            [0, 0, (byte)payload.Length, type, flags, 0, 0, 0, id, .. payload];
    }

    /// <summary>
    /// Answers the first request on each connection and closes it orderly after the second, without an answer.
    /// </summary>
    private sealed class ClosingService : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly List<int> _requests = [];
        private readonly Lock _lock = new();
        private int _connections;

        public ClosingService() => _listener.Start();

        public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

        /// <summary>The connection's number of each request.</summary>
        public IReadOnlyList<int> Requests
        {
            get
            {
                lock (_lock)
                {
                    return [.. _requests];
                }
            }
        }

        public async Task RunAsync()
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync();
                _connections++;
                var stream = client.GetStream();
                using var reader = new StreamReader(stream);
                if (await ReadHeadAsync(reader))
                {
                    await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
                    await ReadHeadAsync(reader);
                }
            }
        }

        public void Dispose() => _listener.Dispose();

        private async Task<bool> ReadHeadAsync(StreamReader reader)
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                if (line.Length == 0)
                {
                    lock (_lock)
                    {
                        _requests.Add(_connections);
                    }

                    return true;
                }
            }

            return false;
        }
    }
}
