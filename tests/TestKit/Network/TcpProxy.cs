using System.Net;
using System.Net.Sockets;

namespace FenceGateway.TestKit;

/// <summary>
/// Forwards a free port of 127.0.0.1 to another one, for any number of connections, until a test cuts, stalls, forgets
/// or delays them: the network between a client and a server that both go on.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly HashSet<ProxiedConnection> _connections = [];
    private readonly Task _accepting;
    private TaskCompletionSource? _stalled;
    private TimeSpan _delay;
    private bool _isCut;
    private int _held;

    /// <summary>Starts to forward.</summary>
    /// <param name="target">The port of 127.0.0.1 to forward to; nobody need listen there yet.</param>
    /// <param name="listen">Where to listen; default: a free port of 127.0.0.1.</param>
    public TcpProxy(int target, IPEndPoint? listen = null)
    {
        Target = target;
        _listener = new TcpListener(listen ?? new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>The port that new connections lead to.</summary>
    public int Target { get; set; }

    /// <summary>Where clients connect to.</summary>
    public int Port { get; }

    /// <summary>How many connections are open now.</summary>
    public int Connections
    {
        get
        {
            lock (_lock)
            {
                return _connections.Count;
            }
        }
    }

    /// <summary>
    /// Resets every connection, and from now on every new one as soon as it is made. What was in flight is lost.
    /// </summary>
    public void Cut()
    {
        List<ProxiedConnection> open;
        lock (_lock)
        {
            _isCut = true;
            open = [.. _connections];
        }

        open.ForEach(c => c.Dispose());
    }

    /// <summary>
    /// Forwards nothing any more, in both directions, and tells nobody: connections stay open and new ones are
    /// accepted. What was sent arrives after <see cref="Heal"/>, as late as that may be.
    /// </summary>
    public void Stall()
    {
        lock (_lock)
        {
            _stalled ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>
    /// Forwards nothing any more on the connections that are open now, for good, and tells nobody, as a firewall that
    /// has dropped them does; new ones are served.
    /// </summary>
    public void Forget()
    {
        lock (_lock)
        {
            foreach (var connection in _connections)
            {
                connection.Forget();
            }
        }
    }

    /// <summary>Holds every part of what is sent for so long; zero ends it.</summary>
    public void Delay(TimeSpan each)
    {
        lock (_lock)
        {
            _delay = each;
        }
    }

    /// <summary>Ends all of it: new connections get through, stalled ones go on.</summary>
    public void Heal()
    {
        TaskCompletionSource? stalled;
        lock (_lock)
        {
            _isCut = false;
            _delay = TimeSpan.Zero;
            stalled = _stalled;
            _stalled = null;
        }

        _ = stalled?.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting;
        while (Connections > 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None);
        }

        _listener.Dispose();
        _stopping.Dispose();
    }

    /// <summary>How many pieces of what was sent, and new connections, do not get through at the moment.</summary>
    public int Held => Volatile.Read(ref _held);

    /// <summary>Waits as long as what was just read has to.</summary>
    internal async ValueTask HoldAsync(ProxiedConnection connection, CancellationToken cancellationToken)
    {
        _ = Interlocked.Increment(ref _held);
        try
        {
            await WaitAsync(connection, cancellationToken);
        }
        finally
        {
            _ = Interlocked.Decrement(ref _held);
        }
    }

    private async ValueTask WaitAsync(ProxiedConnection connection, CancellationToken cancellationToken)
    {
        TimeSpan delay;
        lock (_lock)
        {
            delay = _delay;
        }

        if (delay > TimeSpan.Zero)
        {
            await Task.Delay(delay, TimeProvider.System, cancellationToken);
        }

        while (Stalled is { } stalled)
        {
            await stalled.WaitAsync(cancellationToken);
        }

        if (connection.IsForgotten)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
    }

    private Task? Stalled
    {
        get
        {
            lock (_lock)
            {
                return _stalled?.Task;
            }
        }
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                Begin(await _listener.AcceptSocketAsync(_stopping.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // The end, or a client that left before it was accepted.
            }
        }
    }

    private void Begin(Socket client)
    {
        var connection = new ProxiedConnection(this, client);
        lock (_lock)
        {
            if (!_isCut)
            {
                _ = _connections.Add(connection);
                _ = ForwardAsync(connection);
                return;
            }
        }

        connection.Dispose();
    }

    private async Task ForwardAsync(ProxiedConnection connection)
    {
        // Not on the caller's time, which holds the lock.
        await Task.Yield();
        await connection.ForwardAsync(Target);
        lock (_lock)
        {
            _ = _connections.Remove(connection);
        }
    }
}
