namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// Marks in ZooKeeper: one versioned node for each resource, one ephemeral node for each session, watches that tell of
/// changes. Safety rests on the order of changes and on versions; no clock of a server is used. What ended sessions
/// left is held on this process's monotonic clock, from when it first saw them gone.
/// </summary>
/// <remarks>
/// <para>The time to live that is granted is two thirds of the timeout of the ZooKeeper session. The leader counts that
/// timeout from the last sign of life it was told of, and a follower tells it every half tick, a sixth part of the
/// shortest timeout or so: a session could end that much earlier than its last heartbeat says. The third left out
/// covers it. A heartbeat is a change, not a read: a server that is cut off from the others goes on answering reads for
/// a while.</para>
/// <para>docs/stores.md says what lies where, docs/adr/0005 why the client is our own.</para>
/// </remarks>
public sealed partial class ZooKeeperTokenStore : ITokenStore
{
    private const double TimeoutPerTimeToLive = 1.5;

    private readonly ZooKeeperTokenStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly GoneSessions _gone;
    private readonly ZooKeeperSessions _sessions = new();
    private readonly Turns _opening = new();
    private volatile ZooKeeperLink? _link;
    private volatile string _notOpen = "The token store is not open.";
    private volatile bool _disposed;

    /// <summary>Makes a store; nothing is asked of ZooKeeper before <see cref="OpenAsync"/>.</summary>
    public ZooKeeperTokenStore(
        ZooKeeperTokenStoreOptions options, TimeProvider clock, ILogger<ZooKeeperTokenStore> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _time = clock;
        _logger = logger;
        _gone = new GoneSessions(clock);
        Info = new TokenStoreInfo(
            "ZooKeeper", SafetyGrade.Single, Location, ["it is not open yet, so its grade is not known"]);
    }

    /// <inheritdoc/>
    public TokenStoreInfo Info { get; private set; }

    /// <inheritdoc/>
    public string? Fault =>
        _disposed ? "The token store is closed."
        : _link is { } link ? link.Client.Fault
        : _notOpen;

    /// <inheritdoc/>
    public event Action<ResourceChange>? Changed;

    private string Location => $"{_options.ConnectionString}{_options.Root}";

    /// <summary>Resources that this gateway watches.</summary>
    internal int WatchedCount => _link?.Resources.Count ?? 0;

    /// <summary>The client in use, for tests that take its session away.</summary>
    internal ZooKeeperClient? Client => _link?.Client;

    /// <inheritdoc/>
    public async ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var link = await LinkForAsync(timeToLive, cancellationToken);
        var longest = link.Client.Session.Timeout / TimeoutPerTimeToLive;
        var granted = timeToLive < longest ? timeToLive : longest;
        var reply = await link.Client.SendAsync(
            ZooKeeperRequest.Create(link.Paths.Session(session), [], ephemeral: true, link.IsRestricted),
            cancellationToken);
        if (!reply.IsOk)
        {
            throw ZooKeeperFailure.Of(link.Client, reply.Error);
        }

        _sessions.Add(new ZooKeeperSession(session, link, granted, _time, _logger));
        return granted;
    }

    /// <inheritdoc/>
    public async ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken)
    {
        _ = Link();
        if (_sessions.Find(session) is not { IsAlive: true } living)
        {
            return Heartbeat.Ended;
        }

        // Through the leader, in the order of changes: the node is there, so the session had not ended by then.
        var link = living.Link;
        var beating = link.Client.SendAsync(
            ZooKeeperRequest.Multi(MultiOperation.Check(link.Paths.Session(session), -1)), cancellationToken);
        link.Resources.RefreshUnwatched();
        if (!link.Sessions.IsWatched)
        {
            _ = await link.Sessions.LoadAsync(cancellationToken);
        }

        var reply = await beating;
        var error = reply.IsOk ? reply.Value[0].Error : reply.Error;
        switch (error)
        {
            case ZooKeeperError.Ok:
                living.Beaten();
                // Watches of changes before this one have fired before this reply.
                await link.Resources.CaughtUpAsync(cancellationToken);
                return new Heartbeat(Alive: living.IsAlive, link.Resources.Revoked(session));
            case ZooKeeperError.NoNode or ZooKeeperError.SessionExpired:
                link.Ended(living);
                return Heartbeat.Ended;
            default:
                throw ZooKeeperFailure.Of(link.Client, error);
        }
    }

    /// <inheritdoc/>
    public async ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken)
    {
        _ = Link();
        if (_sessions.Find(session) is not { } ending)
        {
            return;
        }

        // Steps that are in flight find no node when they arrive later than what follows.
        ending.End();
        var link = ending.Link;
        if (isClean)
        {
            foreach (var batch in link.Resources.Of(session).Chunk(Registration.MaxBatch))
            {
                await WithdrawAsync(
                    link, session, [.. batch.Select(key => new Registration(key, long.MaxValue))], cancellationToken);
            }
        }

        var error = await ending.DeleteAsync(cancellationToken);
        link.Resources.Trim();
        if (error != ZooKeeperError.Ok)
        {
            throw ZooKeeperFailure.Of(link.Client, error);
        }

        _ = _gone.Add(ZooKeeperPaths.Name(session));
    }

    /// <inheritdoc/>
    public long PeekMark(ResourceKey resource) => 0;

    /// <inheritdoc/>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(in request);
        _ = Link();
        return _sessions.Find(request.Session) is { IsAlive: true } session
            ? session.Link.Steps.EnterAsync(session, request, cancellationToken)
            : throw TokenStoreUnavailableException.ForEndedSession(request.Session);
    }

    /// <inheritdoc/>
    public ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) =>
        WithdrawAsync(Link(), session, registrations, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var link = Link();
        try
        {
            var (stored, state) = await link.Steps.ReadAsync(resource, cancellationToken);
            return Survey(link).ToRecord(
                stored, writer => state.Writers.First(w => w.Session == writer.Session).EndedAt);
        }
        catch (ZooKeeperProtocolException e)
        {
            throw new TokenStoreUnavailableException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        MarkQuery.ThrowIfInvalid(in query);
        try
        {
            return await Survey(Link()).ListAsync(query, cancellationToken);
        }
        catch (ZooKeeperProtocolException e)
        {
            throw new TokenStoreUnavailableException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        Survey(Link()).CountAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);
        return Link().Steps.SetMarkAsync(request, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        Link().Steps.ResolveAsync(resource, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        using var turn = await _opening.TakeAsync();
        if (_link is { } link)
        {
            // A session that was not ended is not this process's to end: it lives on for its time.
            var living = _sessions.HasLiving;
            _sessions.EndAllOf(link);
            await link.CloseAsync(farewell: !living);
        }
    }

    private ZooKeeperListing Survey(ZooKeeperLink link) => new(link, _time, _logger);

    private ZooKeeperLink Link() => !_disposed && _link is { } link
        ? link
        : throw TokenStoreUnavailableException.NothingTaken(Fault ?? "The token store is closed.");

    private static async ValueTask WithdrawAsync(
        ZooKeeperLink link, string session, IReadOnlyList<Registration> registrations,
        CancellationToken cancellationToken) =>
        await Task.WhenAll(registrations.Select(r => link.Steps.WithdrawAsync(session, r, cancellationToken).AsTask()));

    private void Tell(ResourceKey resource, long mark) => Changed?.Invoke(new ResourceChange(resource, mark));
}
