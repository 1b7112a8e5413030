using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>One PostgreSQL.</summary>
internal sealed class PostgresUnderTest : StoreUnderTest
{
    private PostgresServer? _server;

    public override string Provider => "Postgres";

    protected override async Task<IReadOnlyList<StoreServer>> StartServersAsync()
    {
        var server = _server = await PostgresServer.StartAsync();
        return [new StoreServer(server.Port, server.KillAsync, server.RestartAsync, server.Pause, server.Continue, server)];
    }

    protected override JsonObject Settings(string prefix, IReadOnlyList<int> ports) => new()
    {
        ["ConnectionString"] = _server!.ConnectionString().Replace(
            $"Port={_server.Port}", $"Port={ports[0]}", StringComparison.Ordinal),
    };
}
