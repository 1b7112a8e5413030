using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace FenceGateway.TestKit;

/// <summary>
/// A real HTTP/1.1 service on a free loopback port that misbehaves as the test says, down to the TCP connection, and
/// journals every request that reached it. Nothing happens by time: a step that has to wait waits for the test or for
/// the peer.
/// </summary>
/// <remarks>
/// Connections are kept alive. <see cref="Connections"/> decides about a connection, <see cref="Script"/> about each
/// request on one that is served, and <see cref="Refuse"/>, <see cref="OverflowAsync"/>, <see cref="Die"/> and
/// <see cref="ComeBack"/> about the port as a whole.
/// </remarks>
public sealed class FaultyService : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly HashSet<FaultyConnection> _open = [];
    private readonly List<JournalEntry> _entries = [];
    private readonly List<string> _unread = [];
    private readonly Channel<FaultyExchange> _arrivals = Channel.CreateUnbounded<FaultyExchange>();
    private readonly Channel<FaultyConnection> _accepted = Channel.CreateUnbounded<FaultyConnection>();
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<Task> _running = [];
    private volatile Func<JournalEntry, Fault> _script = _ => Fault.None;
    private volatile Func<int, ConnectionFault> _connections = _ => ConnectionFault.None;
    private Socket? _listener;
    private Socket? _filler;
    private int _connectionCount;

    /// <param name="clock">Shared with the clients of one history.</param>
    public FaultyService(EventClock? clock = null)
    {
        Clock = clock ?? new EventClock();
        Port = FreePorts.Next();
        ComeBack();
    }

    public EventClock Clock { get; }

    public int Port { get; }

    public Uri Address => new($"http://127.0.0.1:{Port}/");

    /// <summary>What to do with a request, asked when its head has arrived.</summary>
    public Func<JournalEntry, Fault> Script
    {
        get => _script;
        set => _script = value;
    }

    /// <summary>What to do with a connection, by its number from 1, asked when it was accepted.</summary>
    public Func<int, ConnectionFault> Connections
    {
        get => _connections;
        set => _connections = value;
    }

    /// <summary>How many connections were accepted.</summary>
    public int ConnectionCount => Volatile.Read(ref _connectionCount);

    /// <summary>All requests whose head has arrived, in the order of their arrival.</summary>
    public IReadOnlyList<JournalEntry> Entries
    {
        get
        {
            lock (_lock)
            {
                return [.. _entries];
            }
        }
    }

    /// <summary>The first bytes of each connection that was reset unread: what was sent there, at least.</summary>
    public IReadOnlyList<string> Unread
    {
        get
        {
            lock (_lock)
            {
                return [.. _unread];
            }
        }
    }

    /// <summary>The writes that carried a token, as the history checker wants them.</summary>
    public IReadOnlyList<ServiceWrite> Writes =>
        [.. Entries.Where(e => e.IsWrite && e.Token is not null).Select(ServiceWrite.From)];

    internal CancellationToken Stopping => _stopping.Token;

    /// <summary>
    /// The next request whose head arrives; each is handed out once, also those that came before the call.
    /// </summary>
    public Task<FaultyExchange> NextArrivalAsync() =>
        _arrivals.Reader.ReadAsync().AsTask().WithinLimit("a request to arrive at the service");

    /// <summary>
    /// Completes when the next connection was accepted; each counts once, also those that came before the call.
    /// </summary>
    public Task NextConnectionAsync() =>
        _accepted.Reader.ReadAsync().AsTask().WithinLimit("a connection to the service");

    /// <summary>Refuses new connections; those that are open stay.</summary>
    public void Refuse()
    {
        lock (_lock)
        {
            StopListeningLocked();
        }
    }

    /// <summary>
    /// Listens and never accepts, with a full backlog: Linux drops the peer's SYN, so that connecting goes on until the
    /// peer gives up. Connections that are open stay.
    /// </summary>
    public async Task OverflowAsync()
    {
        Socket filler;
        lock (_lock)
        {
            // A backlog of 0 holds one connection.
            ListenLocked(backlog: 0);
            filler = _filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        }

        await filler.ConnectAsync(new IPEndPoint(IPAddress.Loopback, Port)).WithinLimit("the backlog to be filled");
    }

    /// <summary>As a process that was killed: refuses new connections and resets those that are open.</summary>
    public void Die()
    {
        lock (_lock)
        {
            StopListeningLocked();
            foreach (var connection in _open)
            {
                connection.Reset();
            }
        }
    }

    /// <summary>Listens on the same port (again), whatever was before.</summary>
    public void ComeBack()
    {
        lock (_lock)
        {
            var listener = ListenLocked(backlog: 512);
            _running.Add(AcceptAsync(listener));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        Die();
        Task[] running;
        lock (_lock)
        {
            running = [.. _running];
        }

        await Task.WhenAll(running).WithinLimit("the service to end");
        _stopping.Dispose();
    }

    internal int Add(Func<long, JournalEntry> entry)
    {
        lock (_lock)
        {
            _entries.Add(entry(Clock.Next()));
            return _entries.Count - 1;
        }
    }

    internal JournalEntry EntryAt(int index)
    {
        lock (_lock)
        {
            return _entries[index];
        }
    }

    internal void Update(int index, Func<JournalEntry, JournalEntry> change)
    {
        lock (_lock)
        {
            _entries[index] = change(_entries[index]);
        }
    }

    internal void LeftUnread(string bytes)
    {
        lock (_lock)
        {
            _unread.Add(bytes);
        }
    }

    internal void Arrived(FaultyExchange exchange) => _ = _arrivals.Writer.TryWrite(exchange);

    private Socket ListenLocked(int backlog)
    {
        StopListeningLocked();
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener = listener;
        FreePorts.Bind(listener, Port);
        listener.Listen(backlog);
        return listener;
    }

    private void StopListeningLocked()
    {
        _listener?.Dispose();
        _filler?.Dispose();
        (_listener, _filler) = (null, null);
    }

    private async Task AcceptAsync(Socket listener)
    {
        List<Task> serving = [];
        try
        {
            while (true)
            {
                var socket = await listener.AcceptAsync();
                serving.Add(ServeAsync(socket));
                _ = serving.RemoveAll(t => t.IsCompletedSuccessfully);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The listener was closed.
        }

        await Task.WhenAll(serving);
    }

    private async Task ServeAsync(Socket socket)
    {
        using var connection = new FaultyConnection(this, socket, Interlocked.Increment(ref _connectionCount));
        lock (_lock)
        {
            _ = _open.Add(connection);
        }

        _ = _accepted.Writer.TryWrite(connection);
        try
        {
            await connection.RunAsync(_connections(connection.Number));
        }
        finally
        {
            lock (_lock)
            {
                _ = _open.Remove(connection);
            }
        }
    }
}
