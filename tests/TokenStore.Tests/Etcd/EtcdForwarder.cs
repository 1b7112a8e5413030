using System.Net;
using System.Net.Sockets;
using System.Text;
using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>Stands between a store and etcd: a test does something before a transaction goes on, or loses its answer. The store hears
/// nothing of what happens meanwhile: its watch is refused.</summary>
internal sealed class EtcdForwarder : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly HttpClient _client = new();
    private readonly string _target;
    private readonly Task _serving;

    public EtcdForwarder(string target)
    {
        _target = target;
        Address = $"http://127.0.0.1:{FreePorts.Next()}";
        _listener.Prefixes.Add($"{Address}/");
        _listener.Start();
        _serving = ServeAsync();
    }

    public string Address { get; }

    /// <summary>Called before a transaction is passed on.</summary>
    public Func<Task> BeforeTransaction { get; set; } = () => Task.CompletedTask;

    /// <summary>Whether the answer to a transaction that was passed on gets lost.</summary>
    public Func<bool> LosesAnswer { get; set; } = () => false;

    public async ValueTask DisposeAsync()
    {
        // Not stopped first: a listener that is closed afterwards looks for its port again, which may be somebody else's by then.
        _listener.Close();
        await _serving;
        _client.Dispose();
    }

    private async Task ServeAsync()
    {
        while (_listener.IsListening)
        {
            try
            {
                await ForwardAsync(await _listener.GetContextAsync());
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or SocketException)
            {
                // The test has ended, or the store has left.
            }
        }
    }

    private async Task ForwardAsync(HttpListenerContext context)
    {
        var path = context.Request.RawUrl!;
        if (path == "/v3/watch")
        {
            context.Response.StatusCode = (int)HttpStatusCode.NotFound;
            context.Response.Close();
            return;
        }

        using var reader = new StreamReader(context.Request.InputStream);
        using var body = new StringContent(await reader.ReadToEndAsync(), Encoding.UTF8, "application/json");
        if (path == "/v3/kv/txn")
        {
            await BeforeTransaction();
        }

        using var answer = await _client.PostAsync(new Uri(_target + path), body);
        if (path == "/v3/kv/txn" && LosesAnswer())
        {
            context.Response.Abort();
            return;
        }

        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = "application/json";
        await context.Response.OutputStream.WriteAsync(await answer.Content.ReadAsByteArrayAsync());
        context.Response.Close();
    }
}
