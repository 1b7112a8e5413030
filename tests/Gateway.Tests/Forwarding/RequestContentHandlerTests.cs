using System.Net;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Tests.Forwarding;

public sealed class RequestContentHandlerTests
{
    [Theory]
    [InlineData("GET", false, false)]
    [InlineData("DELETE", false, false)]
    [InlineData("GET", true, true)]
    [InlineData("DELETE", true, true)]
    [InlineData("POST", false, true)]
    [InlineData("PURGE", false, true)]
    public async Task Send_NoContent_HasAnEmptyOneWhereHttpClientMustNotSendItAgain(
        string method, bool marked, bool empty)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), "http://service/");
        if (marked)
        {
            RequestContentHandler.SendOnce(request, Asked());
        }

        var content = await SendAsync(request);

        (content is EmptyContent).ShouldBe(empty);
        content?.Headers.ContentLength.ShouldBe(0);
    }

    /// <summary>HttpClient takes content for all there is to send, and the tunnel would be closed at once.</summary>
    [Theory]
    [InlineData("CONNECT", false)]
    [InlineData("GET", true)]
    public async Task Send_Tunnel_GoesByAConnectionOfItsOwn(string method, bool upgrade)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), "http://service/");
        if (upgrade)
        {
            request.Headers.Connection.Add("Upgrade");
            request.Headers.Upgrade.ParseAdd("websocket");
        }

        RequestContentHandler.SendOnce(request, Asked());

        (await SendAsync(request, tunnels: 1)).ShouldBeNull();
    }

    [Fact]
    public async Task Send_NoContentASecondTime_IsRefused()
    {
        var request = new HttpRequestMessage(HttpMethod.Delete, "http://service/");
        RequestContentHandler.SendOnce(request, Asked());
        var content = (await SendAsync(request)).ShouldNotBeNull();
        await content.CopyToAsync(Stream.Null, TestContext.Current.CancellationToken);

        await Should.ThrowAsync<InvalidOperationException>(
            () => content.CopyToAsync(Stream.Null, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Send_ContentOfKnownLength_IsLeftAlone()
    {
        using var content = new ByteArrayContent([1]);
        var request = new HttpRequestMessage(HttpMethod.Put, "http://service/") { Content = content };
        RequestContentHandler.SendOnce(request, Asked());

        (await SendAsync(request)).ShouldBeSameAs(content);
        request.Options.ShouldBeEmpty();
    }

    [Fact]
    public async Task Send_ContentOfUnknownLength_FlowsAndKeepsItsHeaders()
    {
        using var content = new StreamOfUnknownLength();
        content.Headers.Add("Content-Type", "text/plain");

        var sent = await SendAsync(new HttpRequestMessage(HttpMethod.Put, "http://service/") { Content = content });

        sent.ShouldBeOfType<FlushingContent>().Headers.ContentType!.MediaType.ShouldBe("text/plain");
    }

    private static async Task<HttpContent?> SendAsync(HttpRequestMessage request, int tunnels = 0)
    {
        using var others = new Answering();
        using var client = new HttpMessageInvoker(
            new RequestContentHandler(new HttpMessageInvoker(others)) { InnerHandler = new Answering() });
        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
        others.Requests.ShouldBe(tunnels);
        return request.Content;
    }

    private static GatewayRequest Asked() => new() { CorrelationId = "1", CorrelationHeader = "X" };

    private sealed class Answering : HttpMessageHandler
    {
        public int Requests { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests++;
            return Task.FromResult(new HttpResponseMessage());
        }
    }

    private sealed class StreamOfUnknownLength : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => Task.CompletedTask;

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
