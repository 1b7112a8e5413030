using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>Finds the server that keeps the marks and asks it what it promises.</summary>
internal static class RedisInspection
{
    /// <summary>What scripts write, with arguments enough to be understood.</summary>
    private static readonly string[][] Writes =
    [
        ["SET", "x"], ["INCR"], ["HSET", "x", "x"], ["HSETNX", "x", "x"], ["HDEL", "x"], ["ZADD", "0", "x"],
        ["ZREM", "x"],
        ["ZREMRANGEBYLEX", "-", "+"], ["LPUSH", "x"], ["LTRIM", "0", "1"],
    ];

    private static readonly string[] Sections = ["append*", "no-appendfsync-on-rewrite", "maxmemory-policy"];

    /// <exception cref="TokenStoreUnavailableException">There is no server, or none that takes writes.</exception>
    public static async Task<RedisServerFacts> InspectAsync(
        RedisLink link, RedisKeys keys, CancellationToken cancellationToken)
    {
        var server = await FindAsync(link, keys, cancellationToken);
        var info = await InfoAsync(link, server, "replication", cancellationToken);
        var role = info?.GetValueOrDefault("role");
        if (role == "slave")
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"Redis {link.Location} is a replica of {info!.GetValueOrDefault("master_host")}:"
                + $"{info!.GetValueOrDefault("master_port")} and takes no writes: "
                + (link.Settings.IsBehindSentinels ? "its Sentinels still name it." : "give the master's address."));
        }

        Dictionary<string, string>? settings = new(StringComparer.Ordinal);
        foreach (var section in Sections)
        {
            foreach (var (name, value) in await TryAsync(
                    () => link.AskAsync(() => server.ConfigGetAsync(section), cancellationToken)) ?? [])
            {
                settings[name] = value;
            }
        }

        _ = int.TryParse(info?.GetValueOrDefault("connected_slaves"), out var replicas);
        return new RedisServerFacts(
            role, replicas, settings.Count == 0 ? null : settings,
            await ReadsItsLogAsync(link, server, keys, cancellationToken))
        {
            // Where the log of the master before it ended; −1 for a server that never had one, no number where there is
            // no such log.
            HasTakenOver = long.TryParse(info?.GetValueOrDefault("second_repl_offset"), out var offset) && offset != -1,
            Garnet = settings.Count > 0 ? null
                : (await InfoAsync(link, server, "server", cancellationToken))?.GetValueOrDefault("garnet_version"),
            IsCluster = server.ServerType == ServerType.Cluster,
            IsBehindSentinels = link.Settings.IsBehindSentinels,
            Servers = link.Settings.Options.EndPoints.Count,
        };
    }

    private static async ValueTask<Dictionary<string, string>?> InfoAsync(
        RedisLink link, IServer server, string section, CancellationToken cancellationToken) =>
        (await TryAsync(() => link.AskAsync(() => server.InfoAsync(section), cancellationToken)))
            ?.SelectMany(static group => group).ToDictionary(
                static pair => pair.Key, static pair => pair.Value, StringComparer.Ordinal);

    /// <summary>
    /// Redis keeps the writes of a script as a transaction, and when it starts it checks each against the rights of the
    /// user <c>default</c>, whoever wrote it: what that user may not do is left out, with no more than a line in the
    /// server's log.
    /// </summary>
    private static async ValueTask<bool?> ReadsItsLogAsync(
        RedisLink link, IServer server, RedisKeys keys, CancellationToken cancellationToken)
    {
        if (!link.Settings.IsNamedUser)
        {
            return true;
        }

        var key = (string)keys.Sessions!;
        var answers = await TryAsync(() => link.AskAsync(
            () => Task.WhenAll(
                Writes.Select(
                    write => server.ExecuteAsync("ACL", ["DRYRUN", "default", write[0], key, .. write[1..]]))),
            cancellationToken));
        return answers?.All(answer => (string?)answer == "OK");
    }

    private static async ValueTask<IServer> FindAsync(
        RedisLink link, RedisKeys keys, CancellationToken cancellationToken)
    {
        var servers = link.Client.GetEndPoints().Select(endpoint => link.Client.GetServer(endpoint))
            .Where(server => server.IsConnected).ToArray();
        if (servers.Any(server => server.ServerType == ServerType.Cluster))
        {
            var owner = await link.AskAsync(
                () => link.Database.IdentifyEndpointAsync(keys.Sequence), cancellationToken);
            return owner is null
                ? throw new TokenStoreUnavailableException(
                    $"No node of the Redis cluster {link.Location} owns the slot of the keys.")
                : link.Client.GetServer(owner);
        }

        var masters = servers.Where(server => !server.IsReplica).ToArray();
        return masters.Length switch
        {
            1 => masters[0],
            0 when servers.Length > 0 => servers[0],
            0 => throw link.FirstFault ?? TokenStoreUnavailableException.NothingTaken($"{link.Fault}"),
            _ => throw TokenStoreUnavailableException.NothingTaken(
                $"Redis {link.Location}: {masters.Length} of these are masters of their own, and a mark would be at "
                + "one of them only: use Provider Quorum for independent servers."),
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
