namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// Which sessions live, as one client sees them. The decision that a writer's session has ended is sound, although what
/// a server of ZooKeeper tells may be old:
/// <list type="number">
/// <item>A registration is written in one step with a check that the session's node is there. So the node was made
/// before the registration in the order of changes.</item>
/// <item>One client never reads an older state after a newer one, on whichever server. So a read that is sent
/// <i>after</i> the registration was read knows of the node's creation; if it finds no node, the node was deleted, for
/// good, since an id is never used twice.</item>
/// <item>That a node is there may be old news: the session then counts for longer than it has to.</item>
/// <item>Lists of all sessions are watched only to see an end when it comes, so that the hold of what it leaves begins
/// then and not with the first question. That a session is missing in a list says nothing, it may be younger; that it
/// was in an earlier list of this client and is not in a later one says that it was deleted.</item>
/// </list>
/// Nothing of this holds between two clients, whose servers may be apart: a new client begins with a new list.
/// </summary>
internal sealed class SessionNodes(ZooKeeperClient client, ZooKeeperPaths paths, GoneSessions gone) : IDisposable
{
    // One list at a time: the later one is then the newer one.
    private readonly SemaphoreSlim _gate = new(1);
    private volatile HashSet<string> _present = new(StringComparer.Ordinal);

    /// <summary>Whether the server tells when a session comes or goes.</summary>
    public bool IsWatched => client.IsWatchingChildren(paths.Sessions);

    /// <summary>Reads the list and leaves a watch.</summary>
    public async ValueTask<ZooKeeperError> LoadAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            var reply = await client.SendAsync(
                ZooKeeperRequest.GetChildren(paths.Sessions, watch: true), cancellationToken);
            if (reply.IsOk)
            {
                var now = new HashSet<string>(reply.Value, StringComparer.Ordinal);
                foreach (var name in _present)
                {
                    if (!now.Contains(name))
                    {
                        _ = gone.Add(name);
                    }
                }

                _present = now;
            }

            return reply.Error;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>
    /// When a session was first seen gone, as far as is known without asking; null for one that lives or that is not
    /// known.
    /// </summary>
    public long? Peek(string session) => gone.Since(ZooKeeperPaths.Name(session));

    /// <summary>
    /// When a session, a registration of which this client has read before, was first seen gone; null while it lives.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">It cannot be told.</exception>
    public async ValueTask<long?> EndedAtAsync(string session, CancellationToken cancellationToken)
    {
        var name = ZooKeeperPaths.Name(session);
        if (gone.Since(name) is { } since)
        {
            return since;
        }

        var reply = await client.SendAsync(ZooKeeperRequest.Exists(paths.Session(session)), cancellationToken);
        return reply.Error switch
        {
            ZooKeeperError.Ok => null,
            ZooKeeperError.NoNode => gone.Add(name),
            var error => throw ZooKeeperFailure.NotTaken(client, error),
        };
    }

    public void Dispose() => _gate.Dispose();
}
