using System.Net;
using Microsoft.AspNetCore.Http;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>
/// Stands between a store and etcd: a test does something before a transaction goes on, or loses its answer. The store
/// hears nothing of what happens meanwhile: its watch is refused.
/// </summary>
internal sealed class EtcdForwarder : IAsyncDisposable
{
    private readonly HttpClient _client = new();
    private readonly string _target;
    private EtcdPeer? _peer;

    private EtcdForwarder(string target) => _target = target;

    public string Address => _peer?.Address ?? throw new InvalidOperationException("Not started.");

    /// <summary>Called before a transaction is passed on.</summary>
    public Func<Task> BeforeTransaction { get; set; } = () => Task.CompletedTask;

    /// <summary>Whether the answer to a transaction that was passed on gets lost.</summary>
    public Func<bool> LosesAnswer { get; set; } = () => false;

    public static async Task<EtcdForwarder> StartAsync(string target)
    {
        var forwarder = new EtcdForwarder(target);
        forwarder._peer = await EtcdPeer.StartAsync(forwarder.ForwardAsync);
        return forwarder;
    }

    public async ValueTask DisposeAsync()
    {
        await _peer!.DisposeAsync();
        _client.Dispose();
    }

    private async Task ForwardAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (path == "/etcdserverpb.Watch/Watch")
        {
            await EtcdPeer.AnswerAsync(context, [], "12");
            return;
        }

        var isTransaction = path == "/etcdserverpb.KV/Txn";
        if (isTransaction)
        {
            await BeforeTransaction();
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_target + path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StreamContent(context.Request.Body),
        };
        request.Content.Headers.Add("Content-Type", "application/grpc");
        request.Headers.Add("TE", "trailers");
        using var answer = await _client.SendAsync(request);
        var bytes = await answer.Content.ReadAsByteArrayAsync();
        if (isTransaction && LosesAnswer())
        {
            context.Abort();
            return;
        }

        var (code, words) = (Said("grpc-status"), Said("grpc-message"));
        await EtcdPeer.AnswerAsync(context, bytes, code, words ?? "");

        // In the headers where there is nothing else.
        string? Said(string name) =>
            answer.TrailingHeaders.TryGetValues(name, out var said) || answer.Headers.TryGetValues(name, out said)
                ? said.Single()
                : null;
    }
}
