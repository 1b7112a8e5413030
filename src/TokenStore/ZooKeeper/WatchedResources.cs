using System.Collections.Concurrent;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// The resources in which this gateway has an interest, over one ZooKeeper session: at most <see cref="Capacity"/>,
/// with one watch each. Whatever ends a watch without a reply (a lost connection, above all) leaves the resource to be
/// read again with the next heartbeat.
/// </summary>
internal sealed class WatchedResources(
    ZooKeeperClient client, ZooKeeperPaths paths, Func<string, bool> isOwn, Action<ResourceKey, long> tell,
    ILogger logger)
{
    public const int Capacity = 1_000_000;

    /// <summary>So many are read again with one heartbeat.</summary>
    private const int ReadAgain = 256;

    private readonly ConcurrentDictionary<string, WatchedResource> _byPath = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<WatchedResource, bool> _revoked = new();
    private readonly ConcurrentDictionary<WatchedResource, bool> _unwatched = new();
    private readonly ConcurrentDictionary<Task, bool> _reading = new();

    public int Count => _byPath.Count;

    /// <summary>Takes a resource for a step; it has to be given back.</summary>
    /// <exception cref="TokenStoreUnavailableException">There are too many.</exception>
    public WatchedResource Take(ResourceKey key)
    {
        var path = paths.Resource(key.Value);
        while (true)
        {
            if (!_byPath.TryGetValue(path, out var resource))
            {
                if (_byPath.Count >= Capacity)
                {
                    throw TokenStoreUnavailableException.NothingTaken(
                        $"This gateway is registered at {Capacity} resources in ZooKeeper, and takes no more.");
                }

                resource = _byPath.GetOrAdd(path, static (path, key) => new WatchedResource(key, path), key);
            }

            if (resource.TryUse())
            {
                return resource;
            }

            _ = _byPath.TryRemove(new(path, resource));
        }
    }

    /// <summary>
    /// Gives a resource back. One that is kept is read again when it is not watched, or when a step has been lost in
    /// flight.
    /// </summary>
    public void Return(WatchedResource resource)
    {
        Sort(resource);
        if (resource.EndUse(isOwn))
        {
            Remove(resource);
        }
        else if (!client.IsWatched(resource.Path) || resource.IsUnsettled)
        {
            Refresh(resource);
        }
    }

    /// <summary>A watch has fired.</summary>
    public void OnWatched(string path)
    {
        // While a step is under way, it finds at its end that the watch is gone.
        if (_byPath.TryGetValue(path, out var resource) && resource.IsIdle)
        {
            Refresh(resource);
        }
    }

    /// <summary>Reads those again whose watch was lost.</summary>
    public void RefreshUnwatched()
    {
        foreach (var resource in _unwatched.Keys.Take(ReadAgain))
        {
            _ = _unwatched.TryRemove(resource, out _);
            Refresh(resource);
        }
    }

    /// <summary>Waits until what watches have told so far was looked at.</summary>
    public Task CaughtUpAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(_reading.Keys).WaitAsync(cancellationToken);

    /// <summary>Where a session of this gateway is registered below the mark.</summary>
    public IReadOnlyList<ResourceChange> Revoked(string session)
    {
        List<ResourceChange> revoked = [];
        foreach (var resource in _revoked.Keys)
        {
            if (revoked.Count == Heartbeat.MaxRevoked)
            {
                break;
            }

            if (resource.RevokedMark(own => own == session) is > 0 and var mark)
            {
                revoked.Add(new ResourceChange(resource.Key, mark));
            }
        }

        return revoked;
    }

    /// <summary>Where a session is, or may be, registered.</summary>
    public List<ResourceKey> Of(string session) =>
    [
        .. _byPath.Values
            .Where(r => r.IsUnsettled || (r.Latest?.Writers.Any(w => w.Session == session) ?? false))
            .Select(r => r.Key),
    ];

    /// <summary>A session has ended: what only it kept is dropped.</summary>
    public void Trim()
    {
        foreach (var resource in _byPath.Values)
        {
            if (resource.TryDrop(isOwn))
            {
                Remove(resource);
            }
        }
    }

    /// <summary>Tells the gateway that somebody else has changed a resource, if that concerns it.</summary>
    public void TellIfConcerned(WatchedResource resource)
    {
        var (waited, revoked) = (resource.IsWaiting, resource.RevokedMark(isOwn));
        if (waited || revoked > 0)
        {
            // One that waits asks again, and is then told again.
            resource.IsWaiting = false;
            tell(resource.Key, resource.Latest?.Mark ?? 0);
        }
    }

    public static StoredResource? ToStored(in ZooKeeperReply<NodeData> reply) => reply.Error switch
    {
        ZooKeeperError.Ok => new(
            ResourceNode.Parse(reply.Value.Data), reply.Value.Stat.Version, reply.Value.Stat.ModifiedZxid),
        ZooKeeperError.NoNode => new(null, -1, reply.Zxid),
        _ => null,
    };

    private void Refresh(WatchedResource resource)
    {
        if (resource.TryUse())
        {
            var reading = RefreshAsync(resource);
            _reading[reading] = true;
            _ = reading.ContinueWith(
                task => _reading.TryRemove(task, out _), CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private async Task RefreshAsync(WatchedResource resource)
    {
        var watched = false;
        try
        {
            var reply = await client.SendAsync(
                ZooKeeperRequest.GetData(resource.Path, watch: true), CancellationToken.None);
            if (ToStored(reply) is { } stored)
            {
                watched = reply.IsOk;
                if (resource.Learn(stored))
                {
                    TellIfConcerned(resource);
                }
            }
            else if (client.State == ZooKeeperState.Connected)
            {
                ZooKeeperLog.RefreshFailed(logger, resource.Key.Value, reply.Error);
            }
        }
        catch (ZooKeeperProtocolException)
        {
            ZooKeeperLog.RefreshFailed(logger, resource.Key.Value, ZooKeeperError.DataInconsistency);
        }

        Sort(resource);
        if (resource.EndUse(isOwn))
        {
            Remove(resource);
        }
        else if (!watched)
        {
            _unwatched[resource] = true;
        }
        else if (!client.IsWatched(resource.Path))
        {
            // It fired while the reply was looked at.
            Refresh(resource);
        }
    }

    private void Sort(WatchedResource resource)
    {
        if (resource.RevokedMark(isOwn) > 0)
        {
            _revoked[resource] = true;
        }
        else
        {
            _ = _revoked.TryRemove(resource, out _);
        }
    }

    private void Remove(WatchedResource resource)
    {
        _ = _byPath.TryRemove(new(resource.Path, resource));
        _ = _revoked.TryRemove(resource, out _);
        _ = _unwatched.TryRemove(resource, out _);
    }
}
