using System.Buffers.Binary;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>Speaks HTTP/2 without TLS where etcd is expected. What it answers is up to the test.</summary>
internal sealed class EtcdPeer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private EtcdPeer(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        _ = builder.Logging.ClearProviders();
        // A watch that is open is no reason to wait for.
        _ = builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.Zero);
        _ = builder.WebHost.UseUrls("http://127.0.0.1:0")
            .ConfigureKestrel(o => o.ConfigureEndpointDefaults(e => e.Protocols = HttpProtocols.Http2));
        _app = builder.Build();
        _app.Run(answer);
    }

    public string Address => _app.Urls.Single();

    public int Port => new Uri(Address).Port;

    public static async Task<EtcdPeer> StartAsync(RequestDelegate answer)
    {
        var peer = new EtcdPeer(answer);
        await peer._app.StartAsync();
        return peer;
    }

    /// <summary>A message as it goes over the wire.</summary>
    public static byte[] Frame(byte[] message)
    {
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        return frame;
    }

    public static Task AnswerAsync(HttpContext context, IMessage message) =>
        AnswerAsync(context, Frame(message.ToByteArray()), "0");

    /// <summary>Says <paramref name="bytes"/>, and how it ended.</summary>
    public static async Task AnswerAsync(HttpContext context, byte[] bytes, string? status, string words = "")
    {
        await context.Request.Body.CopyToAsync(Stream.Null);
        context.Response.ContentType = "application/grpc";
        await context.Response.Body.WriteAsync(bytes);
        if (status is not null)
        {
            context.Response.AppendTrailer("grpc-status", status);
            context.Response.AppendTrailer("grpc-message", words);
        }
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
