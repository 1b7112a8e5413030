using System.Net;
using System.Net.WebSockets;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FenceGateway.Gateway.FunctionalTests.Forwarding;

/// <summary>
/// A WebSocket on a route without a policy: what is sent once must not be taken for a body, which would close the
/// tunnel.
/// </summary>
public sealed class TunnelTests
{
    private const string WithRetries = """
        "open": { "ClusterId": "service", "Match": { "Path": "/open/{**rest}" }, "Metadata": { "ResiliencePolicy": "again" } }
        """;

    [Theory]
    [InlineData(HttpProtocols.Http1, "")]
    [InlineData(HttpProtocols.Http2, "")]
    [InlineData(HttpProtocols.Http1, WithRetries)]
    [InlineData(HttpProtocols.Http2, WithRetries)]
    public async Task WebSocket_OnAnOpenRoute_CarriesBothWays(HttpProtocols protocol, string routes)
    {
        await using var service = await StartEchoAsync(protocol);
        var version = protocol == HttpProtocols.Http2 ? "2" : "1.1";
        var setup = new GatewaySetup
        {
            Cluster = $$""" "HttpRequest": { "Version": "{{version}}", "VersionPolicy": "RequestVersionExact" } """,
            Routes = routes,
            Gateway = """ "ResiliencePolicies": { "again": { "Retry": { "MaxAttempts": 2 } } } """,
        };
        await using var gateway = await FencedGateway.StartAsync(setup, _ => new Uri(service.Urls.First()));
        using var socket = new ClientWebSocket();
        using var limit = new CancellationTokenSource(TimeLimit.Default);

        await socket.ConnectAsync(
            new UriBuilder(gateway.Address) { Scheme = "ws", Path = "/open/socket" }.Uri, limit.Token);
        for (byte i = 0; i < 3; i++)
        {
            var buffer = new byte[8];
            await socket.SendAsync(new[] { i }, WebSocketMessageType.Binary, endOfMessage: true, limit.Token);
            var received = await socket.ReceiveAsync(buffer, limit.Token);
            buffer[..received.Count].ShouldBe([i]);
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token);
        socket.CloseStatus.ShouldBe(WebSocketCloseStatus.NormalClosure);
    }

    private static async Task<WebApplication> StartEchoAsync(HttpProtocols protocol)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = protocol));
        var service = builder.Build();
        service.UseWebSockets();
        service.Run(async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[8];
            while (await socket.ReceiveAsync(
                    buffer, context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } received)
            {
                await socket.SendAsync(
                    buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage,
                    context.RequestAborted);
            }

            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
        });
        await service.StartAsync();
        return service;
    }
}
