namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// All that hangs on one ZooKeeper session: the client, who lives, the watched resources. A new ZooKeeper session
/// begins with nothing of it, since its server may be behind what the old one has seen.
/// </summary>
internal sealed class ZooKeeperLink
{
    private readonly ZooKeeperSessions _own;
    private readonly ITimer _loading;

    public ZooKeeperLink(
        ZooKeeperClient client, ZooKeeperPaths paths, bool restricted, ZooKeeperSessions own, GoneSessions gone,
        Action<ResourceKey, long> tell, TimeProvider time, ILogger logger)
    {
        _own = own;
        (Client, Paths, IsRestricted) = (client, paths, restricted);
        Sessions = new SessionNodes(client, paths, gone);
        Resources = new WatchedResources(client, paths, own.IsAlive, tell, logger);
        Steps = new ResourceSteps(this, new ResourceDecisions(this, time));
        _loading = time.CreateTimer(
            _ => _ = LoadSessionsAsync(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        client.Watched = OnWatched;
        client.Changed = OnChanged;
    }

    public ZooKeeperClient Client { get; }

    public ZooKeeperPaths Paths { get; }

    /// <summary>Whether nodes are made for one user alone.</summary>
    public bool IsRestricted { get; }

    public SessionNodes Sessions { get; }

    public WatchedResources Resources { get; }

    public ResourceSteps Steps { get; }

    /// <summary>
    /// Lets this server catch up: what is sent on the connection after this call has begun is answered from a state
    /// that has every change which was committed before. It is a change of nothing, agreed on by a majority. The
    /// protocol's own sync is less: at the leader it waits for nothing, and a follower can have answered a change that
    /// the leader has committed and not yet made in its own tree.
    /// </summary>
    public async Task<ZooKeeperError> CatchUpAsync(CancellationToken cancellationToken)
    {
        var reply = await Client.SendAsync(
            ZooKeeperRequest.Multi(MultiOperation.Check(Paths.Root, -1)), cancellationToken);
        return reply.IsOk ? reply.Value[0].Error : reply.Error;
    }

    /// <summary>A session has turned out to have ended.</summary>
    public void Ended(ZooKeeperSession session)
    {
        session.End();
        Resources.Trim();
    }

    /// <summary>
    /// Ends the connection, and before that the ZooKeeper session if that is wanted and a server can be told.
    /// </summary>
    public async ValueTask CloseAsync(bool farewell)
    {
        await _loading.DisposeAsync();
        if (farewell)
        {
            await Client.CloseAsync();
        }

        await Client.DisposeAsync();
        Sessions.Dispose();
    }

    private void OnWatched(WatchEvent fired)
    {
        if (fired.Path == Paths.Sessions)
        {
            LoadSoon();
        }
        else
        {
            Resources.OnWatched(fired.Path);
        }
    }

    private void OnChanged(ZooKeeperState state)
    {
        if (state == ZooKeeperState.Expired)
        {
            _own.EndAllOf(this);
        }
        else if (!Sessions.IsWatched)
        {
            LoadSoon();
        }
    }

    /// <summary>Not in the loop that reads replies, which has to go on.</summary>
    private void LoadSoon() => _loading.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);

    private async Task LoadSessionsAsync() => _ = await Sessions.LoadAsync(CancellationToken.None);
}
