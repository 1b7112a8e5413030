using FenceGateway.TestKit;
using FenceGateway.TokenStore.MySql;

namespace FenceGateway.TokenStore.Tests.MySql;

/// <summary>
/// One server for the tests of a class. It leaves the last second to the operating system, which no test crashes.
/// </summary>
public sealed class MariaDbFixture : IAsyncLifetime
{
    private MariaDbServer? _server;

    internal MariaDbServer Server => _server ?? throw new InvalidOperationException("Not started.");

    public async ValueTask InitializeAsync() =>
        _server = await MariaDbServer.StartAsync("innodb-flush-log-at-trx-commit=2");

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    internal MySqlTokenStore CreateStore(string prefix) => CreateStore(Server.ConnectionString(), prefix);

    internal static MySqlTokenStore CreateStore(
        string connectionString, string prefix, TestLogger<MySqlTokenStore>? logger = null) => new(
        new MySqlTokenStoreOptions { ConnectionString = connectionString, KeyPrefix = prefix },
        TimeProvider.System, logger ?? new TestLogger<MySqlTokenStore>());
}
