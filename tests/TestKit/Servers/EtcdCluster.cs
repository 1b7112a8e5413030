using System.Text.Json;

namespace FenceGateway.TestKit;

/// <summary>An etcd cluster of several members on this machine.</summary>
public sealed class EtcdCluster : IAsyncDisposable
{
    private EtcdCluster(IReadOnlyList<EtcdServer> members) => Members = members;

    public IReadOnlyList<EtcdServer> Members { get; }

    public IReadOnlyList<string> Addresses => [.. Members.Select(m => m.Address)];

    public static async Task<EtcdCluster> StartAsync(int size = 3)
    {
        var cluster = new EtcdCluster(
            [.. Enumerable.Range(1, size).Select(n => new EtcdServer($"m{n}", certificates: null))]);
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

    /// <summary>The one that leads.</summary>
    public async Task<EtcdServer> LeaderAsync()
    {
        foreach (var member in Members)
        {
            var status = JsonDocument.Parse(await member.PostAsync("/v3/maintenance/status", "{}")).RootElement;
            if (status.GetProperty("leader").GetString() == status.GetProperty("header").GetProperty("member_id")
                .GetString())
            {
                return member;
            }
        }

        throw new InvalidOperationException("The cluster has no leader.");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in Members)
        {
            await member.DisposeAsync();
        }
    }
}
