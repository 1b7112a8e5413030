using FenceGateway.TestKit;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

/// <summary>Three servers for the tests of a class.</summary>
public sealed class ZooKeeperEnsembleFixture : IAsyncLifetime
{
    private ZooKeeperEnsemble? _ensemble;

    public string ConnectionString =>
        _ensemble?.ConnectionString ?? throw new InvalidOperationException("Not started.");

    public async ValueTask InitializeAsync() => _ensemble = await ZooKeeperEnsemble.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_ensemble is not null)
        {
            await _ensemble.DisposeAsync();
        }
    }
}

/// <summary>A server for the tests of a class; each test has a root of its own.</summary>
public sealed class ZooKeeperFixture : IAsyncLifetime
{
    private ZooKeeperServer? _server;

    public ZooKeeperServer Server => _server ?? throw new InvalidOperationException("Not started.");

    public string ConnectionString => Server.ConnectionString;

    public static string NewRoot() => $"/test/t{Guid.NewGuid():N}";

    internal ZooKeeperTokenStore CreateStore(string root, string? auth = null) =>
        CreateStore(ConnectionString, root, auth);

    internal static ZooKeeperTokenStore CreateStore(
        string connectionString, string root, string? auth = null,
        TestLogger<ZooKeeperTokenStore>? logger = null) => new(
        new ZooKeeperTokenStoreOptions { ConnectionString = connectionString, Root = root, Auth = auth },
        TimeProvider.System, logger ?? new TestLogger<ZooKeeperTokenStore>());

    /// <summary>A client of the test itself, connected.</summary>
    internal async Task<ZooKeeperClient> ConnectAsync(TimeSpan? timeout = null, byte[]? auth = null)
    {
        var client = new ZooKeeperClient(
            ServerList.Parse(ConnectionString), timeout ?? TimeSpan.FromSeconds(10), auth, TimeProvider.System,
            new TestLogger<ZooKeeperClient>());
        await client.ConnectAsync(default).WithinLimit("a connection to ZooKeeper");
        return client;
    }

    /// <summary>
    /// Ends the session of a client as an administrator would: another connection with its id and password closes it.
    /// </summary>
    internal async Task ExpireAsync(ZooKeeperClient client)
    {
        await TestKit.ZooKeeperSessions.ExpireAsync(Server, client.Session.Id);
        await Eventually.IsSoAsync(() => !client.IsAlive, "the session to be over");
    }

    public async ValueTask InitializeAsync() => _server = await ZooKeeperServer.StartAsync();

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
