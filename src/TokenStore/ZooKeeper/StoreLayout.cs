using System.Security.Cryptography;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>Makes what is missing under the root, and reads what the ensemble promises.</summary>
internal static class StoreLayout
{
    private const int Version = 1;
    private const string Config = "/zookeeper/config";
    private const int ServersForStrict = 3;

    /// <summary>The epoch of the data: made up once, together with the folders. Another one is other data.</summary>
    public static async ValueTask<string> EnsureAsync(
        ZooKeeperClient client, ZooKeeperPaths paths, bool restricted, CancellationToken cancellationToken)
    {
        // A server that is behind would make us create what is there already, which does no harm.
        var format = await client.SendAsync(ZooKeeperRequest.GetData(paths.Format, watch: false), cancellationToken);
        if (format.Error == ZooKeeperError.NoNode)
        {
            await CreateAsync(client, paths, restricted, cancellationToken);
            format = await client.SendAsync(ZooKeeperRequest.GetData(paths.Format, watch: false), cancellationToken);
        }

        return format.IsOk
            ? ReadEpoch(format.Value.Data, paths)
            : throw ZooKeeperFailure.NotTaken(client, format.Error);
    }

    /// <summary>
    /// Whether everybody may change nodes: they were made before there was a user, who does not change that. All of
    /// them were made together, so one tells.
    /// </summary>
    public static async ValueTask<bool> IsOpenAsync(
        ZooKeeperClient client, ZooKeeperPaths paths, CancellationToken cancellationToken) =>
        await client.SendAsync(ZooKeeperRequest.IsOpen(paths.Folder(0)), cancellationToken) is
        { IsOk: true, Value: true };

    /// <summary>
    /// The grade, from the list of servers that an ensemble keeps of itself. A single server has an empty one.
    /// </summary>
    public static async ValueTask<TokenStoreInfo> GradeAsync(
        ZooKeeperClient client, string location, CancellationToken cancellationToken)
    {
        var config = await client.SendAsync(ZooKeeperRequest.GetData(Config, watch: false), cancellationToken);
        if (config.Error is ZooKeeperError.NoNode or ZooKeeperError.NoAuth)
        {
            return Single(
                $"the number of servers cannot be read ({Config}: {config.Error}), use ZooKeeper 3.5 or newer and "
                    + "allow reading it");
        }

        if (!config.IsOk)
        {
            throw ZooKeeperFailure.NotTaken(client, config.Error);
        }

        var servers = CountVoters(System.Text.Encoding.UTF8.GetString(config.Value.Data));
        return servers >= ServersForStrict
            ? new TokenStoreInfo("ZooKeeper", SafetyGrade.Strict, location)
            : Single(servers == 0
                ? "it is one server alone, so its disk is the only copy of the marks: run an ensemble of three or more"
                : $"the ensemble has {servers} voting servers, and cannot lose one: run three or more");

        TokenStoreInfo Single(string reason) => new("ZooKeeper", SafetyGrade.Single, location, [reason]);
    }

    internal static int CountVoters(string config) => config.Split('\n').Count(line =>
        line.StartsWith("server.", StringComparison.Ordinal) && !line.Contains(":observer", StringComparison.Ordinal));

    private static async ValueTask CreateAsync(
        ZooKeeperClient client, ZooKeeperPaths paths, bool restricted, CancellationToken cancellationToken)
    {
        foreach (var path in (IEnumerable<string>)[.. paths.ToRoot(), paths.Sessions, paths.Resources])
        {
            await CreateOneAsync(path, []);
        }

        await Task.WhenAll(
            Enumerable.Range(0, ZooKeeperPaths.Folders).Select(n => CreateOneAsync(paths.Folder(n), [])));
        var epoch = RandomNumberGenerator.GetHexString(16, lowercase: true);
        await CreateOneAsync(paths.Format, new JuteWriter().Int(Version).Text(epoch).ToData());

        async Task CreateOneAsync(string path, byte[] data)
        {
            var reply = await client.SendAsync(
                ZooKeeperRequest.Create(path, data, ephemeral: false, restricted), cancellationToken);
            if (reply.Error is not (ZooKeeperError.Ok or ZooKeeperError.NodeExists))
            {
                throw ZooKeeperFailure.Of(client, reply.Error);
            }
        }
    }

    private static string ReadEpoch(byte[] data, ZooKeeperPaths paths)
    {
        try
        {
            var reader = new JuteReader(data);
            return reader.Int() is var version && version == Version
                ? reader.Text()
                : throw new TokenStoreUnavailableException(
                    $"{paths.Root} in ZooKeeper has the format {version}, this gateway knows {Version}: run the "
                        + "version that wrote it, or newer.");
        }
        catch (ZooKeeperProtocolException e)
        {
            throw new TokenStoreUnavailableException(
                $"{paths.Format} in ZooKeeper is not of a token store: choose another Root.", e);
        }
    }
}
