using System.Net;
using System.Net.Sockets;

namespace FenceGateway.Benchmarks.Allocations;

/// <summary>Sends one prepared request again and again over one connection and looks at the status alone.</summary>
internal sealed class RawClient : IAsyncDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[16 * 1024];

    public static async Task<RawClient> ConnectAsync(int port)
    {
        var client = new RawClient();
        await client._socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
        return client;
    }

    public async Task SendAsync(byte[] request, int times, int status)
    {
        for (var i = 0; i < times; i++)
        {
            await _socket.SendAsync(request.AsMemory());
            if (await ReceiveAsync() != status)
            {
                throw new InvalidOperationException($"The gateway did not answer {status}.");
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask<int> ReceiveAsync()
    {
        var length = 0;
        while (true)
        {
            var read = await _socket.ReceiveAsync(_buffer.AsMemory(length));
            if (read == 0)
            {
                throw new IOException("The gateway closed the connection.");
            }

            length += read;
            if (IsComplete(_buffer.AsSpan(0, length)))
            {
                return ((_buffer[9] - '0') * 100) + ((_buffer[10] - '0') * 10) + _buffer[11] - '0';
            }
        }
    }

    /// <summary>A 204 ends with its header, a problem with the brace of its JSON.</summary>
    private static bool IsComplete(ReadOnlySpan<byte> answer) =>
        answer.StartsWith("HTTP/1.1 204"u8) ? answer.EndsWith("\r\n\r\n"u8) : answer.EndsWith("}"u8);
}
