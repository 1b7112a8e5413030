using System.Net;
using System.Net.Sockets;

namespace FenceGateway.Benchmarks.Allocations;

/// <summary>
/// Answers 204 to every request that ends with <see cref="Body"/>, without looking at the rest of it.
/// </summary>
internal sealed class RawService : IAsyncDisposable
{
    private readonly Socket _listener = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    public RawService()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    public static byte[] Body { get; } = "{\"state\":\"paid\",\"total\":42}"u8.ToArray();

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                serving.Add(ServeAsync(await _listener.AcceptAsync(_stop.Token)));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var connection = socket;
        connection.NoDelay = true;
        var answer = "HTTP/1.1 204 No Content\r\n\r\n"u8.ToArray();
        var buffer = new byte[16 * 1024];
        var length = 0;
        try
        {
            while (await connection.ReceiveAsync(buffer.AsMemory(length), _stop.Token) is > 0 and var read)
            {
                length += read;
                if (buffer.AsSpan(0, length).EndsWith(Body))
                {
                    length = 0;
                    await connection.SendAsync(answer.AsMemory(), _stop.Token);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // The gateway or the measurement is over.
        }
    }
}
