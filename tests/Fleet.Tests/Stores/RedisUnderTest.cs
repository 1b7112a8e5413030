using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>One Redis.</summary>
/// <param name="options">Null for what the grade Single asks for.</param>
internal sealed class RedisUnderTest(RedisServerOptions? options = null) : StoreUnderTest
{
    private RedisServer? _server;

    public override string Provider => "Redis";

    /// <summary>The server, once it was started.</summary>
    public RedisServer Server => _server ?? throw new InvalidOperationException("It was not started");

    protected override async Task<IReadOnlyList<StoreServer>> StartServersAsync() =>
        [Handle(_server = await RedisServer.StartAsync(options))];

    protected override JsonObject Settings(string prefix, IReadOnlyList<int> ports) =>
        new() { ["Configuration"] = Address(ports[0]) };

    internal static StoreServer Handle(RedisServer server) => new(
        server.Port, server.KillAsync, () => server.RestartAsync(), server.Pause, server.Continue, server,
        server.RestartEmptyAsync);
}
