using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>Finds the server that keeps the marks and asks it what it promises.</summary>
internal static class RedisInspection
{
    /// <summary>What scripts write, with arguments enough to be understood.</summary>
    private static readonly string[][] Writes =
    [
        ["SET", "x"], ["INCR"], ["HSET", "x", "x"], ["HSETNX", "x", "x"], ["HDEL", "x"], ["ZADD", "0", "x"], ["ZREM", "x"],
        ["ZREMRANGEBYLEX", "-", "+"], ["LPUSH", "x"], ["LTRIM", "0", "1"],
    ];

    private static readonly string[] Sections = ["append*", "no-appendfsync-on-rewrite", "maxmemory-policy"];

    /// <exception cref="TokenStoreUnavailableException">There is no server, or none that takes writes.</exception>
    public static async Task<RedisServerFacts> InspectAsync(RedisLink link, RedisKeys keys, CancellationToken cancellationToken)
    {
        var server = await FindAsync(link, keys, cancellationToken);
        var replication = await TryAsync(() => link.AskAsync(() => server.InfoAsync("replication"), cancellationToken));
        var info = replication?.SelectMany(group => group).ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
        var role = info?.GetValueOrDefault("role");
        if (role == "slave")
        {
            throw new TokenStoreUnavailableException(
                $"Redis {link.Location} is a replica of {info!.GetValueOrDefault("master_host")}:"
                + $"{info!.GetValueOrDefault("master_port")} and takes no writes: give the master's address.")
            { NotTaken = true };
        }

        Dictionary<string, string>? settings = new(StringComparer.Ordinal);
        foreach (var section in Sections)
        {
            foreach (var (name, value) in await TryAsync(() => link.AskAsync(() => server.ConfigGetAsync(section), cancellationToken)) ?? [])
            {
                settings[name] = value;
            }
        }

        _ = int.TryParse(info?.GetValueOrDefault("connected_slaves"), out var replicas);
        return new RedisServerFacts(
            role, replicas, settings.Count == 0 ? null : settings, await ReadsItsLogAsync(link, keys, cancellationToken))
        {
            // Where the log of the master before it ended; −1 for a server that never had one.
            HasTakenOver = info?.GetValueOrDefault("second_repl_offset") is { } offset && offset != "-1",
            IsCluster = server.ServerType == ServerType.Cluster,
            Servers = link.Servers,
        };
    }

    /// <summary>
    /// Redis keeps the writes of a script as a transaction, and when it starts it checks each against the rights of the user
    /// <c>default</c>, whoever wrote it: what that user may not do is left out, with no more than a line in the server's log.
    /// </summary>
    private static async ValueTask<bool?> ReadsItsLogAsync(RedisLink link, RedisKeys keys, CancellationToken cancellationToken)
    {
        if (!link.IsRelayed)
        {
            // Signed in as default.
            return true;
        }

        var key = (string)keys.Sessions!;
        var answers = await TryAsync(() => link.AskAsync(
            () => Task.WhenAll(Writes.Select(write => link.Database.ExecuteAsync("ACL", ["DRYRUN", "default", write[0], key, .. write[1..]]))),
            cancellationToken));
        return answers?.All(answer => (string?)answer == "OK");
    }

    private static async ValueTask<IServer> FindAsync(RedisLink link, RedisKeys keys, CancellationToken cancellationToken)
    {
        var servers = link.Client.GetEndPoints().Select(endpoint => link.Client.GetServer(endpoint))
            .Where(server => server.IsConnected).ToArray();
        if (servers.Any(server => server.ServerType == ServerType.Cluster))
        {
            if (link.IsRelayed)
            {
                throw new TokenStoreUnavailableException(
                    $"Redis {link.Location} is a cluster, where only the user default can be used: give that one the rights, and leave "
                    + "user= out.")
                { NotTaken = true };
            }

            var owner = await link.AskAsync(() => link.Database.IdentifyEndpointAsync(keys.Sequence), cancellationToken);
            return owner is null
                ? throw new TokenStoreUnavailableException($"No node of the Redis cluster {link.Location} owns the slot of the keys.")
                : link.Client.GetServer(owner);
        }

#pragma warning disable CS0618 // The newer client calls it IsReplica.
        var masters = servers.Where(server => !server.IsSlave).ToArray();
#pragma warning restore CS0618
        return masters.Length switch
        {
            1 => masters[0],
            0 when servers.Length > 0 => servers[0],
            0 => throw link.FirstFault ?? new TokenStoreUnavailableException($"{link.Fault}") { NotTaken = true },
            _ => throw new TokenStoreUnavailableException(
                $"Redis {link.Location}: {masters.Length} of these are masters of their own, and a mark would be at one of them only: "
                + "use Provider Quorum for independent servers.")
            { NotTaken = true },
        };
    }

    /// <summary>null when the user may not ask.</summary>
    private static async ValueTask<T?> TryAsync<T>(Func<ValueTask<T>> ask)
        where T : class
    {
        try
        {
            return await ask();
        }
        catch (TokenStoreUnavailableException e) when (e.InnerException is RedisServerException)
        {
            return null;
        }
    }
}
