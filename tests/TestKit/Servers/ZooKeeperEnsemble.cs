namespace FenceGateway.TestKit;

/// <summary>Servers of ZooKeeper that agree by majority. Disposing kills them.</summary>
public sealed class ZooKeeperEnsemble : IAsyncDisposable
{
    private ZooKeeperEnsemble(IReadOnlyList<ZooKeeperServer> servers) => Servers = servers;

    public IReadOnlyList<ZooKeeperServer> Servers { get; }

    public string ConnectionString => string.Join(',', Servers.Select(server => server.ConnectionString));

    /// <exception cref="FileNotFoundException">ZooKeeper or Java is not installed.</exception>
    public static async Task<ZooKeeperEnsemble> StartAsync(int count = 3)
    {
        var ensemble = new ZooKeeperEnsemble(
            [.. Enumerable.Range(1, count).Select(number => new ZooKeeperServer(number))]);
        try
        {
            string[] members = [.. ensemble.Servers.Select((server, index) => $"server.{index + 1}={server.Member}")];
            foreach (var server in ensemble.Servers)
            {
                await server.LaunchAsync(members);
            }

            await Task.WhenAll(ensemble.Servers.Select(server => server.WaitUntilServingAsync()));
            return ensemble;
        }
        catch
        {
            await ensemble.DisposeAsync();
            throw;
        }
    }

    /// <summary>The one that leads.</summary>
    public async Task<ZooKeeperServer> LeaderAsync()
    {
        foreach (var server in Servers)
        {
            if ((await server.AskAsync("srvr")).Contains("Mode: leader", StringComparison.Ordinal))
            {
                return server;
            }
        }

        throw new InvalidOperationException("The ensemble has no leader.");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in Servers)
        {
            await server.DisposeAsync();
        }
    }
}
