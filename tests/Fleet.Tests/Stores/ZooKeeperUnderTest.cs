using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>A ZooKeeper of one server.</summary>
internal sealed class ZooKeeperUnderTest : StoreUnderTest
{
    private ZooKeeperServer? _server;

    public override string Provider => "ZooKeeper";

    /// <summary>The server, once it was started.</summary>
    public ZooKeeperServer Server => _server ?? throw new InvalidOperationException("It was not started");

    protected override async Task<IReadOnlyList<StoreServer>> StartServersAsync()
    {
        var server = _server = await ZooKeeperServer.StartAsync();
        return [new StoreServer(server.Port, server.KillAsync, server.RestartAsync, server.Pause, server.Continue, server)];
    }

    protected override JsonObject Settings(string prefix, IReadOnlyList<int> ports) =>
        new() { ["ConnectionString"] = Address(ports[0]), ["Root"] = $"/{prefix}" };
}
