using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>
/// An etcd of one member. Its leases last whole seconds, and at least one and a half times the election time-out.
/// </summary>
internal sealed class EtcdUnderTest : StoreUnderTest
{
    public override string Provider => "Etcd";

    public override TimeSpan Grants(TimeSpan asked) => TimeSpan.FromSeconds(Math.Ceiling(asked.TotalSeconds));

    protected override async Task<IReadOnlyList<StoreServer>> StartServersAsync()
    {
        var server = await EtcdServer.StartAsync("--election-timeout=500", "--heartbeat-interval=50");
        return [new StoreServer(server.Port, server.KillAsync, server.RestartAsync, server.Pause, server.Continue, server)];
    }

    protected override JsonObject Settings(string prefix, IReadOnlyList<int> ports) =>
        new() { ["Endpoints"] = new JsonArray($"http://{Address(ports[0])}") };
}
