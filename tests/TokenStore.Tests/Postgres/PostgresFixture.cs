using FenceGateway.TestKit;
using FenceGateway.TokenStore.Postgres;

namespace FenceGateway.TokenStore.Tests.Postgres;

/// <summary>
/// One server for the tests of a class. It leaves the disk to the operating system, which no test crashes.
/// </summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private PostgresServer? _server;

    internal PostgresServer Server => _server ?? throw new InvalidOperationException("Not started.");

    public async ValueTask InitializeAsync() => _server = await PostgresServer.StartAsync("fsync=off");

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    internal PostgresTokenStore CreateStore(string prefix) => CreateStore(Server.ConnectionString(), prefix);

    internal static PostgresTokenStore CreateStore(
        string connectionString, string prefix, TestLogger<PostgresTokenStore>? logger = null) => new(
        new PostgresTokenStoreOptions { ConnectionString = connectionString, KeyPrefix = prefix },
        TimeProvider.System, logger ?? new TestLogger<PostgresTokenStore>());
}
