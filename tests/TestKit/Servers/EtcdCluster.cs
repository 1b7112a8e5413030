namespace FenceGateway.TestKit;

/// <summary>An etcd cluster of several members on this machine.</summary>
public sealed class EtcdCluster : IAsyncDisposable
{
    private EtcdCluster(IReadOnlyList<EtcdServer> members) => Members = members;

    public IReadOnlyList<EtcdServer> Members { get; }

    public IReadOnlyList<string> Addresses => [.. Members.Select(m => m.Address)];

    public static async Task<EtcdCluster> StartAsync(int size = 3)
    {
        var cluster = new EtcdCluster([.. Enumerable.Range(1, size).Select(n => new EtcdServer($"m{n}", certificates: null))]);
        try
        {
            var initial = string.Join(',', cluster.Members.Select(m => m.Member));
            foreach (var member in cluster.Members)
            {
                member.Launch(initial);
            }

            await Task.WhenAll(cluster.Members.Select(m => m.WaitUntilReadyAsync()));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in Members)
        {
            await member.DisposeAsync();
        }
    }
}
