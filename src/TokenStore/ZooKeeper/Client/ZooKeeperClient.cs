using FenceGateway.TokenStore.Tls;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>Where a client stands.</summary>
internal enum ZooKeeperState
{
    /// <summary>There is no connection; the session may live, and is looked for at each server in turn.</summary>
    Connecting,

    /// <summary>A server serves the session.</summary>
    Connected,

    /// <summary>A server said that the session has ended. For good.</summary>
    Expired,

    /// <summary>This process has closed it.</summary>
    Closed,
}

/// <summary>
/// A ZooKeeper session of this process, over one connection after the other. To lose a connection is not to lose the
/// session: only a server can say that it has ended, and until one does, its ephemeral nodes may be there.
/// </summary>
/// <remarks>
/// A request that cannot be sent now ends at once; nothing is sent twice. At most <see cref="MaxOutstanding"/> are
/// under way, whoever comes after waits. What is read is never older than what was read before, over all connections:
/// replies carry the number of the latest change, and a server that is behind refuses the session.
/// </remarks>
internal sealed partial class ZooKeeperClient : IAsyncDisposable
{
    /// <summary>Requests under way; a server stops reading at as many (globalOutstandingLimit).</summary>
    public const int MaxOutstanding = 1000;

    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    private readonly ServerList _servers;
    private readonly byte[]? _auth;
    private readonly StoreTls? _tls;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _room = new(MaxOutstanding);
    private readonly ArmedWatches _watches = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _firstConnection = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private volatile ZooKeeperConnection? _connection;
    private volatile SessionTicket _session = SessionTicket.New;
    private volatile string? _fault = "No server has answered yet.";
    private ZooKeeperState _state = ZooKeeperState.Connecting;
    private long _lastZxid;
    private Task? _running;
    private volatile bool _closing;

    /// <summary>Makes a client; it does nothing before <see cref="ConnectAsync"/>.</summary>
    /// <param name="servers">Of the ensemble.</param>
    /// <param name="timeout">How long the session is to live without a connection; a server may grant something
    /// else.</param>
    /// <param name="auth">user:password for the scheme "digest"; null for none.</param>
    /// <param name="time">Its monotonic clock.</param>
    /// <param name="logger">Where it reports.</param>
    /// <param name="tls">How connections are encrypted; null for not at all.</param>
    public ZooKeeperClient(
        ServerList servers, TimeSpan timeout, byte[]? auth, TimeProvider time, ILogger logger, StoreTls? tls = null)
    {
        _servers = servers;
        RequestedTimeout = timeout;
        _auth = auth;
        _tls = tls;
        _time = time;
        _logger = logger;
    }

    public TimeSpan RequestedTimeout { get; }

    public ZooKeeperState State
    {
        get
        {
            lock (_gate)
            {
                return _state;
            }
        }
    }

    /// <summary>Whether the session has not ended as far as this process knows.</summary>
    public bool IsAlive => State is ZooKeeperState.Connecting or ZooKeeperState.Connected;

    /// <summary>Why there is no connection, as a sentence; null while there is one.</summary>
    public string? Fault => _fault;

    public SessionTicket Session => _session;

    /// <summary>The number of the latest change seen.</summary>
    public long LastZxid => Volatile.Read(ref _lastZxid);

    /// <summary>
    /// A watch has fired. Called in order with the replies, outside of locks; has to be quick. Set before connecting.
    /// </summary>
    public Action<WatchEvent>? Watched { get; set; }

    /// <summary>A connection was made, or the session has ended. Has to be quick. Set before connecting.</summary>
    public Action<ZooKeeperState>? Changed { get; set; }

    /// <summary>Starts to connect, and waits for the first connection.</summary>
    public Task ConnectAsync(CancellationToken cancellationToken)
    {
        _running ??= Task.Run(RunAsync, CancellationToken.None);
        return _firstConnection.Task.WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Whether the server holds a data watch of this client on a node, as far as replies and events have told.
    /// </summary>
    public bool IsWatched(string path) => _watches.HasData(path);

    /// <inheritdoc cref="IsWatched"/>
    public bool IsWatchingChildren(string path) => _watches.HasChildren(path);

    /// <summary>Sends a request and waits for its reply. Cancellation ends the wait only.</summary>
    public async ValueTask<ZooKeeperReply<T>> SendAsync<T>(
        ZooKeeperRequest<T> request, CancellationToken cancellationToken)
    {
        if (request.Frame.Length > ZooKeeperRequest.MaxFrame)
        {
            return new(ZooKeeperError.BadArguments, default!, 0);
        }

        await _room.WaitAsync(cancellationToken);
        var pending = new PendingRequest<T>(request, EndOne);
        if (_connection is not { } connection || !connection.TrySend(pending))
        {
            _room.Release();
            return new(
                State == ZooKeeperState.Expired ? ZooKeeperError.SessionExpired : ZooKeeperError.NotSent, default!, 0);
        }

        return await pending.Reply.WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Ends the session, so that its ephemeral nodes go now and not when its time is over; at most a second.
    /// </summary>
    public async Task CloseAsync()
    {
        if (State == ZooKeeperState.Connected)
        {
            _closing = true;
            using var limit = new CancellationTokenSource(Farewell, _time);
            try
            {
                _ = await SendAsync(ZooKeeperRequest.CloseSession(), limit.Token);
            }
            catch (OperationCanceledException)
            {
                // It ends by itself, a little later.
            }
        }

        await DisposeAsync();
    }

    /// <summary>Ends the connection; the session lives on for its timeout.</summary>
    public async ValueTask DisposeAsync()
    {
        _ = Become(ZooKeeperState.Closed);
        if (!_stop.IsCancellationRequested)
        {
            await _stop.CancelAsync();
        }

        if (_running is { } running)
        {
            await running;
        }

        _ = _firstConnection.TrySetException(new ObjectDisposedException(nameof(ZooKeeperClient)));
        _ = _firstConnection.Task.Exception;
    }

    /// <summary>False when the client has come to an end before.</summary>
    private bool Become(ZooKeeperState state)
    {
        lock (_gate)
        {
            if (_state is ZooKeeperState.Expired or ZooKeeperState.Closed)
            {
                return false;
            }

            _state = state;
            return true;
        }
    }

    private void OnWatched(WatchEvent fired)
    {
        _watches.Fired(fired);
        Watched?.Invoke(fired);
    }

    private void OnSeen(long zxid)
    {
        if (zxid > LastZxid)
        {
            Volatile.Write(ref _lastZxid, zxid);
        }
    }

    private void EndOne(ZooKeeperError error, WatchKind watch, string path)
    {
        if (error == ZooKeeperError.Ok)
        {
            _watches.Add(watch, path);
        }

        _room.Release();
    }
}
