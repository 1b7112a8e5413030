using FenceGateway.TestKit;
using FenceGateway.TokenStore.Redis;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>One Redis for all tests that leave it as it is; each takes a prefix of its own.</summary>
public class RedisFixture : IAsyncLifetime
{
    private static int _prefixes;
    private RedisServer? _server;

    public RedisServer Server => _server!;

    protected virtual RedisServerOptions Options => new();

    public async ValueTask InitializeAsync() => _server = await RedisServer.StartAsync(Options);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    public static string NextPrefix() => $"t{Interlocked.Increment(ref _prefixes)}";

    public RedisTokenStore Make(string? prefix = null) => Make(Server.Configuration, prefix);

    internal static RedisTokenStore Make(
        string configuration, string? prefix = null, TestLogger<RedisTokenStore>? logger = null) => new(
        new RedisTokenStoreOptions { Configuration = configuration, KeyPrefix = prefix ?? NextPrefix() },
        TimeProvider.System,
        (Microsoft.Extensions.Logging.ILogger<RedisTokenStore>?)logger ?? NullLogger<RedisTokenStore>.Instance);

    /// <summary>A master and its replica, which follows it by now.</summary>
    internal static async Task<(RedisServer Master, RedisServer Replica)> StartWithReplicaAsync()
    {
        var master = await RedisServer.StartAsync();
        var replica = await RedisServer.StartAsync(
            new RedisServerOptions { Arguments = ["--replicaof", "127.0.0.1", $"{master.Port}"] });
        await UntilAsync(async () =>
            (await master.CommandAsync("INFO", "replication")).Contains("state=online", StringComparison.Ordinal));
        return (master, replica);
    }

    /// <summary>Asks until the store is back; a store that is away is asked again.</summary>
    internal static Task UntilAsync(Func<Task<bool>> condition) =>
        Eventually.IsSoAsync(condition, "the store to be so", isNotYet: e => e is TokenStoreUnavailableException);
}

/// <summary>The same of a Garnet.</summary>
public sealed class GarnetFixture : RedisFixture
{
    protected override RedisServerOptions Options => new() { Garnet = true };
}
