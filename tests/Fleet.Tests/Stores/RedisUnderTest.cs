using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>One Redis.</summary>
internal sealed class RedisUnderTest : StoreUnderTest
{
    public override string Provider => "Redis";

    protected override async Task<IReadOnlyList<StoreServer>> StartServersAsync() => [Handle(await RedisServer.StartAsync())];

    protected override JsonObject Settings(string prefix, IReadOnlyList<int> ports) =>
        new() { ["Configuration"] = Address(ports[0]) };

    internal static StoreServer Handle(RedisServer server) => new(
        server.Port, server.KillAsync, () => server.RestartAsync(), server.Pause, server.Continue, server, server.RestartEmptyAsync);
}
