using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>An etcd of one member. Its shortest lease is one and a half times the election time-out, in whole seconds.</summary>
internal sealed class EtcdUnderTest : StoreUnderTest
{
    public override string Provider => "Etcd";

    protected override async Task<IReadOnlyList<StoreServer>> StartServersAsync()
    {
        var server = await EtcdServer.StartAsync("--election-timeout=500", "--heartbeat-interval=50");
        return [new StoreServer(server.Port, server.KillAsync, server.RestartAsync, server.Pause, server.Continue, server)];
    }

    protected override JsonObject Settings(string prefix, IReadOnlyList<int> ports) =>
        new() { ["Endpoints"] = new JsonArray($"http://{Address(ports[0])}") };
}
