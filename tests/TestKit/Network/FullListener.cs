using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FenceGateway.TestKit;

/// <summary>
/// A listener whose queue is full: further connections stay unanswered, as by a host that is gone, until it accepts
/// them.
/// </summary>
public sealed class FullListener : IDisposable
{
    /// <summary>So many connections of its own keep others waiting.</summary>
    public const int Own = 4;

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> _waiting = [];
    private readonly ConcurrentQueue<string> _received = new();
    private int _connections;
    private Task _accepting = Task.CompletedTask;

    /// <summary>Listens, and fills its own queue.</summary>
    public FullListener()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(0);

        // Linux takes one more than the backlog says; what is beyond that is neither accepted nor refused.
        for (var i = 0; i < Own; i++)
        {
            var socket =
                new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
            _waiting.Add(socket);
            try
            {
                socket.Connect(_listener.LocalEndPoint!);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
            {
                // On its way, or for ever.
            }
        }
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}/");

    /// <summary>How many connections are being asked for, its own included.</summary>
    public int Asking =>
        TcpTable.To(IPAddress.Loopback, Address.Port).Count(connection => connection.State == TcpTable.Asking);

    /// <summary>How many connections were accepted, its own included.</summary>
    public int Connections => _accepting.IsFaulted ? throw _accepting.Exception : Volatile.Read(ref _connections);

    /// <summary>What has come in, in pieces.</summary>
    public IReadOnlyCollection<string> Received => _received;

    /// <summary>Accepts all connections from now on.</summary>
    public void Accept()
    {
        _waiting.ForEach(socket => socket.Dispose());
        _listener.Listen(1024);
        _accepting = AcceptAsync();
    }

    public void Dispose()
    {
        _waiting.ForEach(socket => socket.Dispose());
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var socket = await _listener.AcceptAsync();
            _ = Interlocked.Increment(ref _connections);
            _ = ReceiveAsync(socket);
        }
    }

    private async Task ReceiveAsync(Socket socket)
    {
        using (socket)
        {
            var buffer = new byte[1024];
            while (await socket.ReceiveAsync(buffer) is > 0 and var count)
            {
                _received.Enqueue(Encoding.Latin1.GetString(buffer, 0, count));
            }
        }
    }
}
