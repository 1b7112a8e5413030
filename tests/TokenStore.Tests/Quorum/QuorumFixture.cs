using FenceGateway.TestKit;
using FenceGateway.TokenStore.Quorum;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Tests.Quorum;

/// <summary>Three Redis masters for all tests that leave them as they are; each takes a prefix of its own.</summary>
public sealed class QuorumFixture : IAsyncLifetime
{
    private RedisServer[] _servers = [];

    internal IReadOnlyList<RedisServer> Servers => _servers;

    public async ValueTask InitializeAsync() => _servers = await StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
    }

    internal static Task<RedisServer[]> StartAsync(int nodes = 3) =>
        Task.WhenAll(Enumerable.Range(0, nodes).Select(_ => RedisServer.StartAsync()));

    internal QuorumTokenStore Make(string prefix) => Make(_servers, prefix);

    internal static QuorumTokenStore Make(
        IEnumerable<RedisServer> servers, string prefix = "fg", ILogger<QuorumTokenStore>? logger = null, string options = "",
        TimeProvider? time = null) => new(
        new QuorumTokenStoreOptions { Nodes = [.. servers.Select(s => s.Configuration + options)], KeyPrefix = prefix },
        time ?? TimeProvider.System, logger ?? NullLogger<QuorumTokenStore>.Instance);
}
