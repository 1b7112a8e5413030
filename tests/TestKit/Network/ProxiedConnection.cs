using System.Net;
using System.Net.Sockets;

namespace FenceGateway.TestKit;

/// <summary>A connection through a <see cref="TcpProxy"/>: two sockets and what is in flight between them.</summary>
internal sealed class ProxiedConnection(TcpProxy proxy, Socket client) : IDisposable
{
    private readonly Socket _server =
        new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly CancellationTokenSource _reset = new();
    private readonly Lock _lock = new();
    private volatile bool _isForgotten;
    private bool _isClosed;

    /// <summary>Ends with the connection, whichever side ended it.</summary>
    public async Task ForwardAsync(int target)
    {
        try
        {
            client.NoDelay = true;
            await HoldAsync();
            await _server.ConnectAsync(new IPEndPoint(IPAddress.Loopback, target), _reset.Token);
            await Task.WhenAll(PumpAsync(client, _server), PumpAsync(_server, client));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side is gone: the other one learns of it below.
        }

        Dispose();
    }

    /// <summary>From now on nothing comes through, and neither side learns of it.</summary>
    public void Forget() => _isForgotten = true;

    public bool IsForgotten => _isForgotten;

    /// <summary>Ends both sides at once, with a reset; what is in flight is lost.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
        }

        _reset.Cancel();
        client.Close(0);
        _server.Close(0);
        _reset.Dispose();
    }

    private ValueTask HoldAsync() => proxy.HoldAsync(this, _reset.Token);

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, _reset.Token) is > 0 and var count)
            {
                await HoldAsync();
                for (var sent = 0; sent < count;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _reset.Token);
                }
            }

            // An orderly end of one direction; the other one may go on.
            await HoldAsync();
            to.Shutdown(SocketShutdown.Send);
        }
        catch
        {
            Dispose();
            throw;
        }
    }
}
