using FenceGateway.TestKit;
using FenceGateway.TokenStore.Quorum;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Tests.Quorum;

/// <summary>Three Redis masters for all tests that leave them as they are; each takes a prefix of its own.</summary>
public class QuorumFixture : IAsyncLifetime
{
    private RedisServer[] _servers = [];

    internal IReadOnlyList<RedisServer> Servers => _servers;

    protected virtual RedisServerOptions Options => new();

    public async ValueTask InitializeAsync() => _servers = await StartAsync(options: Options);

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    internal static Task<RedisServer[]> StartAsync(int nodes = 3, RedisServerOptions? options = null) =>
        Task.WhenAll(Enumerable.Range(0, nodes).Select(_ => RedisServer.StartAsync(options)));

    internal QuorumTokenStore Make(string prefix) => Make(_servers, prefix, time: new LongPatience());

    internal static QuorumTokenStore Make(
        IEnumerable<RedisServer> servers, string prefix = "fg", ILogger<QuorumTokenStore>? logger = null,
        string options = "",
        TimeProvider? time = null) => new(
        new QuorumTokenStoreOptions { Nodes = [.. servers.Select(s => s.Configuration + options)], KeyPrefix = prefix },
        time ?? TimeProvider.System, logger ?? NullLogger<QuorumTokenStore>.Instance);
}

/// <summary>The same of Garnets.</summary>
public sealed class GarnetQuorumFixture : QuorumFixture
{
    protected override RedisServerOptions Options => new() { Garnet = true };
}

/// <summary>
/// The system's time, but for timers, which take twenty times as long: on a busy machine a node may well be slower than
/// a store has patience for, and is then asked nothing for a while.
/// </summary>
internal sealed class LongPatience : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, dueTime == Timeout.InfiniteTimeSpan ? dueTime : dueTime * 20, period);
}
