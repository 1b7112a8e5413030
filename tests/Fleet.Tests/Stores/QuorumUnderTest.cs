using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>Three Redis masters that know nothing of each other.</summary>
internal sealed class QuorumUnderTest : StoreUnderTest
{
    private const int Nodes = 3;

    public override string Provider => "Quorum";

    protected override async Task<IReadOnlyList<StoreServer>> StartServersAsync() =>
        [.. (await Task.WhenAll(Enumerable.Range(0, Nodes).Select(_ => RedisServer.StartAsync()))).Select(RedisUnderTest.Handle)];

    protected override JsonObject Settings(string prefix, IReadOnlyList<int> ports) =>
        new() { ["Nodes"] = new JsonArray([.. ports.Select(p => JsonValue.Create(Address(p)))]) };
}
