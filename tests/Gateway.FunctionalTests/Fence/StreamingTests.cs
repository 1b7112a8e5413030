using System.Net;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>Bodies go through as they come, over both versions of HTTP on both sides.</summary>
public sealed class StreamingTests
{
    private const int Megabyte = 1024 * 1024;

    private const string Http2In = """
        "Kestrel": { "Endpoints": { "data": { "Url": "http://127.0.0.1:0", "Protocols": "Http2" } } }
        """;

    private const string Http2Out = """ "HttpRequest": { "Version": "2", "VersionPolicy": "RequestVersionExact" } """;

    [Fact]
    public async Task Upload_Of64Megabytes_ReachesTheServiceWhileTheClientStillSends()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Route = """ "MaxRequestBodySize": 100000000 """ });
        gateway.HoldAll();
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var request = new HttpRequestMessage(HttpMethod.Put, "/orders/1")
        {
            Content = new PausingContent(64, goOn.Task),
            Headers = { { "Fencing-Token", "33" } },
        };

        var answering = gateway.Client.SendAsync(request);
        var held = await gateway.Service.NextArrivalAsync();
        await held.WaitForBodyAsync(Megabyte - (8 * 1024));
        held.Entry.BodyLength.ShouldBeLessThanOrEqualTo(Megabyte);
        goOn.SetResult();
        await held.WaitForBodyAsync(64L * Megabyte);
        held.Release();

        using var response = await answering;
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        held.Entry.BodyLength.ShouldBe(64L * Megabyte);
    }

    [Theory]
    [InlineData("")]
    [InlineData("too large")]
    public async Task Upload_AnsweredEarlyOverHttp2_ReachesTheClientAsTheServiceSaidIt(string body)
    {
        await using var gateway = await StartAsync(http2In: false, http2Out: true);
        gateway.Service.Script = e => e.Token == 33 ? ServiceAction.AnswerEarly(413, body) : ServiceAction.Apply();
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendAsync(RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: a", "Fencing-Token: 33", "Content-Length: 1000000") + "the first bytes");

        var answer = await client.ReadResponseAsync();

        answer.Status.ShouldBe(413);
        answer.Values("Proxy-Status").ShouldBeEmpty();
        (await gateway.PutAsync(33)).ShouldBeServices(413);
    }

    [Theory]
    [InlineData("", """ "Kestrel": { "Limits": { "MaxRequestBodySize": 10 } } """)]
    [InlineData(""" "MaxRequestBodySize": 10 """, "")]
    public async Task Upload_LongerThanTheLimit_Is413AndNoWrite(string route, string root)
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Route = route, Root = root });

        // One segment: Kestrel closes the connection over a body that it does not want, and what is still in flight
        // resets it.
        var response = await RawHttpClient.ExchangeAsync(gateway.Address.Port, RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: a", "Fencing-Token: 33", "Content-Length: 11") + "hello world");

        response.Status.ShouldBe(413);
        gateway.Service.Entries.ShouldBeEmpty();
        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    [Fact]
    public async Task Upload_SmallPieceOfUnknownLength_ReachesTheServiceAtOnce()
    {
        await using var gateway = await FencedGateway.StartAsync(new());
        gateway.HoldAll();
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendAsync(
            "PUT /orders/1 HTTP/1.1\r\nHost: a\r\nFencing-Token: 33\r\nTransfer-Encoding: "
                + "chunked\r\n\r\n4\r\nfour\r\n");

        var held = await gateway.Service.NextArrivalAsync();
        await held.WaitForBodyAsync(4).WithinLimit("the first piece");
        await client.SendAsync("3\r\nend\r\n0\r\n\r\n");
        await held.WaitForBodyAsync(7).WithinLimit("the last piece");
        held.Release();

        (await client.ReadResponseAsync()).Status.ShouldBe(200);
        held.Entry.BodyLength.ShouldBe(7);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Download_ReachesTheClientWhileTheServiceStillSends(bool http2In, bool http2Out)
    {
        await using var gateway = await StartAsync(http2In, http2Out);
        gateway.HoldAll();
        using var request = Request(HttpMethod.Put, http2In, 33);
        var answering = gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var held = await gateway.Service.NextArrivalAsync();
        held.SendPart("first");
        using var response = await answering.WithinLimit("the answer's head");
        await using var body = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[5];

        await body.ReadExactlyAsync(buffer).AsTask().WithinLimit("the answer's first part");
        held.Entry.Ended.ShouldBeNull();
        held.SendPart(new string('x', 3 * Megabyte));
        held.Release();

        using var rest = new StreamReader(body);
        (await rest.ReadToEndAsync()).Length.ShouldBe(3 * Megabyte);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Versions_AnyInAnyOut_AreFencedAlike(bool http2In, bool http2Out)
    {
        await using var gateway = await StartAsync(http2In, http2Out);

        using var accepted = await gateway.Client.SendAsync(Request(HttpMethod.Put, http2In, 34, new byte[Megabyte]));
        using var stale = await gateway.Client.SendAsync(Request(HttpMethod.Delete, http2In, 33));
        using var deleted = await gateway.Client.SendAsync(Request(HttpMethod.Delete, http2In, 34));

        accepted.StatusCode.ShouldBe(HttpStatusCode.OK);
        accepted.Version.ShouldBe(http2In ? HttpVersion.Version20 : HttpVersion.Version11);
        (await Answer.ReadAsync(stale)).ShouldBeProblem(409, "fencing-token-stale");
        deleted.StatusCode.ShouldBe(HttpStatusCode.OK);
        gateway.Service.Entries.Select(e => (e.Method, e.Token, e.BodyLength))
            .ShouldBe([("PUT", 34, Megabyte), ("DELETE", 34, 0)]);
        gateway.Service.Entries.ShouldAllBe(e => e.Protocol == (http2Out ? "HTTP/2" : "HTTP/1.1"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Http2Client_LeavesItsStream_TheWriteGoesOnAndItsEndIsLearnt(bool http2Out)
    {
        await using var gateway = await StartAsync(http2In: true, http2Out);
        gateway.Hold(33);
        using var leave = new CancellationTokenSource();
        using var request = Request(HttpMethod.Put, http2: true, 33);
        request.Headers.Add(JournalService.RequestIdHeader, "a");
        var answering = gateway.Client.SendAsync(request, leave.Token);
        var held = await gateway.Service.NextArrivalAsync();
        await leave.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(answering);
        await gateway.WaitForClientGoneAsync("a");

        var next = gateway.Client.SendAsync(Request(HttpMethod.Put, http2: true, 34));
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.DrainTimeout);
        held.Release();

        using var response = await next;
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        held.Entry.Result.ShouldBe(JournalResult.Applied);
        held.Entry.Status.ShouldBe(200);
    }

    [Fact]
    public async Task Http2Service_DoesNotAnswerInTime_504AndInDoubt()
    {
        await using var gateway = await StartAsync(http2In: false, http2Out: true);
        gateway.Hold(33);
        var (answering, _) = await gateway.PutHeldAsync(33);

        gateway.Clock.Advance(GatewaySetup.WriteTimeout);

        (await answering).ShouldBeProblem(504, "upstream-timeout");
        var waiting = await gateway.PutWaitingAsync(34);
        gateway.Clock.Advance(GatewaySetup.DrainTimeout);
        (await waiting).ShouldBeProblem(503, "fence-draining");
    }

    [Fact]
    public async Task Http2Service_ResetsTheStream_502AndSentOnce()
    {
        await using var gateway = await StartAsync(http2In: false, http2Out: true);
        gateway.Service.Script = _ => ServiceAction.Reset(applied: true);

        using var response = await gateway.Client.SendAsync(Request(HttpMethod.Delete, http2: false, 33));

        (await Answer.ReadAsync(response)).ShouldBeProblem(502, "upstream-unreachable");
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    private static Task<FencedGateway> StartAsync(bool http2In, bool http2Out) => FencedGateway.StartAsync(
        new() { Root = http2In ? Http2In : "", Cluster = http2Out ? Http2Out : "" },
        http2Out ? service => service.Http2Address : null);

    private static HttpRequestMessage Request(HttpMethod method, bool http2, long token, byte[]? body = null) =>
        new(method, "/orders/1")
        {
            Version = http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { { "Fencing-Token", token.ToString() } },
            Content = body is null ? null : new ByteArrayContent(body),
        };

    /// <summary>Sends one megabyte, waits, then sends the rest.</summary>
    private sealed class PausingContent(int megabytes, Task goOn) : HttpContent
    {
        protected override bool TryComputeLength(out long length)
        {
            length = (long)megabytes * Megabyte;
            return true;
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var part = new byte[Megabyte];
            for (var i = 0; i < megabytes; i++)
            {
                await stream.WriteAsync(part);
                await stream.FlushAsync();
                await goOn.WithinLimit("the first megabyte to arrive");
            }
        }
    }
}
