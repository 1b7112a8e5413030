namespace FenceGateway.TokenStore.Quorum;

/// <summary>
/// Marks at a majority of independent Redis masters. No atomicity spans the nodes and no clock of theirs is asked: what
/// is at a majority is seen by every other one, because the two share a node (docs/protocol.md, "On a quorum").
/// </summary>
public sealed class QuorumTokenStore : ITokenStore
{
    private const string NotOpen = "The token store is not open.";
    private const string Closed = "The token store is closed.";

    private readonly QuorumTokenStoreOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly QuorumKeys _keys;
    private readonly Turns _opening = new();
    private QuorumConnections? _connections;
    private volatile Parts? _parts;
    private volatile string? _fault = NotOpen;
    private volatile bool _disposed;

    /// <summary>Makes the store; nothing is connected before <see cref="OpenAsync"/>.</summary>
    public QuorumTokenStore(QuorumTokenStoreOptions options, TimeProvider clock, ILogger<QuorumTokenStore> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_options, _clock, _logger) = (options, clock, logger);
        _keys = new QuorumKeys(options.KeyPrefix);
    }

    /// <inheritdoc/>
    public TokenStoreInfo Info =>
        _connections?.Info ?? new TokenStoreInfo("Quorum", SafetyGrade.BestEffort, "not connected yet");

    /// <inheritdoc/>
    public string? Fault => _fault ?? _connections?.Fault;

    /// <inheritdoc/>
    public event Action<ResourceChange>? Changed;

    /// <summary>
    /// Whether nothing is under way that nobody waits for any more: the nodes that were slower than a majority.
    /// </summary>
    internal bool IsSettled => _connections?.IsSettled ?? true;

    private Parts Open => _fault is null && _parts is { } parts
        ? parts
        : throw TokenStoreUnavailableException.NothingTaken(_fault ?? NotOpen);

    /// <inheritdoc/>
    /// <remarks>A majority of the nodes is enough, but for the very first time, when all have to be there.</remarks>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        using var turn = await _opening.TakeAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _connections ??= QuorumConnections.Make(
                _options, _keys, _clock, _logger, change => Changed?.Invoke(change));
            var nodes = await _connections.OpenAsync(cancellationToken);
            if (_parts?.Nodes != nodes)
            {
                _parts = new Parts(nodes, _clock);
            }

            _fault = null;
        }
        catch (ObjectDisposedException e)
        {
            throw TokenStoreUnavailableException.NothingTaken(Closed, e);
        }
        catch (TokenStoreUnavailableException e) when (_parts is null)
        {
            _fault = e.Message;
            throw;
        }

        if (_disposed)
        {
            await DisposeAsync();
            throw TokenStoreUnavailableException.NothingTaken(Closed);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var open = Open;
        open.Nodes.BoundPatience(timeToLive);
        await open.Sessions.StartAsync(session, timeToLive, cancellationToken);
        return timeToLive;
    }

    /// <inheritdoc/>
    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken)
    {
        var sessions = Open.Sessions;
        _connections!.Tend();
        return sessions.BeatAsync(session, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken) =>
        Open.Sessions.EndAsync(session, isClean, cancellationToken);

    /// <inheritdoc/>
    public long PeekMark(ResourceKey resource) => 0;

    /// <inheritdoc/>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(request);
        return Open.Enter.RunAsync(request, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) =>
        Open.Resources.WithdrawAsync(session, registrations, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        Open.FindAsync(resource, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        MarkQuery.ThrowIfInvalid(query);
        return Open.Resources.ListAsync(query, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        Open.Resources.CountAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);
        return Open.Operator.SetMarkAsync(request, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        Open.Operator.ResolveAsync(resource, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        _fault = Closed;
        if (Interlocked.Exchange(ref _connections, null) is { } connections)
        {
            await connections.DisposeAsync();
        }
    }

    /// <summary>What works on one set of nodes.</summary>
    internal sealed class Parts
    {
        public Parts(QuorumNodes nodes, TimeProvider clock)
        {
            var (watch, stamps) = (new SessionWatch(nodes.Count, clock), new ChangeStamps(clock));
            Nodes = nodes;
            Resources = new QuorumResources(nodes, watch, stamps);
            Sessions = new QuorumSessions(nodes, Resources, watch);
            Enter = new QuorumEnter(nodes, Resources, Sessions, watch, stamps);
            Operator = new QuorumOperator(nodes, Resources, Sessions, watch, stamps);
        }

        public QuorumNodes Nodes { get; }

        public QuorumResources Resources { get; }

        public QuorumSessions Sessions { get; }

        public QuorumEnter Enter { get; }

        public QuorumOperator Operator { get; }

        /// <summary>Whoever looks also sees that a session stands still.</summary>
        public async ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
        {
            var record = await Resources.FindAsync(resource, cancellationToken);
            var ended = false;
            foreach (var writer in record?.Writers ?? [])
            {
                ended |= writer.EndedFor is null
                    && await Sessions.EndIfStandingAsync(writer.Session, cancellationToken);
            }

            return ended ? await Resources.FindAsync(resource, cancellationToken) : record;
        }
    }
}
