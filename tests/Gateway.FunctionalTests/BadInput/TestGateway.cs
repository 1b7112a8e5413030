using System.Text.Json;
using System.Text.Json.Nodes;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Hosting;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.BadInput;

/// <summary>
/// The gateway in this process on real listeners, in front of two journals: <see cref="Service"/>, the cluster
/// <c>orders</c> with a fenced route, and <see cref="Open"/>, the cluster <c>open</c>, which nothing fences.
/// </summary>
public sealed class TestGateway : IAsyncDisposable
{
    private static readonly string[] Quiet =
        ["--Serilog:MinimumLevel:Default=Error", "--Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime=Error"];

    private readonly TempFolder _folder = new();
    private BuiltGateway? _gateway;

    private TestGateway(JournalService service, JournalService open) => (Service, Open) = (service, open);

    /// <summary>Behind the fence.</summary>
    public JournalService Service { get; }

    /// <summary>Behind routes without a policy.</summary>
    public JournalService Open { get; }

    /// <summary>Speaks HTTP/1.1.</summary>
    public int Port { get; } = FreePorts.Next();

    /// <summary>Speaks HTTP/2 with prior knowledge.</summary>
    public int Http2Port { get; } = FreePorts.Next();

    /// <summary>
    /// Starts a gateway with the route <c>orders</c>, <c>/orders/{id}/{**rest}</c>, unless it is given.
    /// </summary>
    /// <param name="policy">Keys of the fencing policy <c>test</c>; its resource is <c>orders/{id}</c> unless
    /// given.</param>
    /// <param name="routes">More routes, as <see cref="Route"/> makes them.</param>
    public static async Task<TestGateway> StartAsync(
        object? policy = null, params (string Id, JsonObject Route)[] routes)
    {
        var gateway = new TestGateway(await JournalService.StartAsync(), await JournalService.StartAsync());
        var file = gateway._folder.File("gateway.json");
        await File.WriteAllTextAsync(file, gateway.Configuration(policy, routes).ToJsonString());
        gateway._gateway = await GatewayHost.BuildAsync(
            new GatewayArguments(file, Quiet), TimeProvider.System, CancellationToken.None);
        await gateway._gateway.App.StartAsync();
        return gateway;
    }

    /// <summary>A route to a cluster; fenced by the policy <c>test</c> or not.</summary>
    public static JsonObject Route(string path, bool fenced, string cluster = "orders", params string[] methods)
    {
        var route = new JsonObject { ["ClusterId"] = cluster, ["Match"] = new JsonObject { ["Path"] = path } };
        if (fenced)
        {
            route["Metadata"] = new JsonObject { ["FencingPolicy"] = "test" };
        }

        if (methods.Length > 0)
        {
            route["Match"]!["Methods"] = new JsonArray([.. methods.Select(m => JsonValue.Create(m))]);
        }

        return route;
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
        {
            await _gateway.App.StopAsync();
            await _gateway.DisposeAsync();
        }

        await Service.DisposeAsync();
        await Open.DisposeAsync();
        _folder.Dispose();
    }

    private JsonObject Configuration(object? policy, (string Id, JsonObject Route)[] routes)
    {
        var test = (JsonObject?)JsonSerializer.SerializeToNode(policy) ?? [];
        test.TryAdd("Resource", "orders/{id}");
        var all = new JsonObject(routes.Select(r => KeyValuePair.Create(r.Id, (JsonNode?)r.Route)));
        all.TryAdd("orders", Route("/orders/{id}/{**rest}", fenced: true));
        return new JsonObject
        {
            ["Kestrel"] = new JsonObject
            {
                ["Endpoints"] =
                    new JsonObject { ["Http1"] = Endpoint(Port, "Http1"), ["Http2"] = Endpoint(Http2Port, "Http2") },
            },
            ["ReverseProxy"] = new JsonObject
            {
                ["Routes"] = all,
                ["Clusters"] =
                    new JsonObject
                    { ["orders"] = Cluster(Service), ["open"] = Cluster(Open), ["again"] = Cluster(Service) },
            },
            ["FenceGateway"] = new JsonObject
            {
                ["Admin"] = new JsonObject { ["Url"] = $"http://127.0.0.1:{FreePorts.Next()}" },
                ["TokenStore"] = new JsonObject { ["Provider"] = "Memory" },
                ["FencingPolicies"] = new JsonObject { ["test"] = test },
            },
        };
    }

    private static JsonObject Endpoint(int port, string protocols) =>
        new() { ["Url"] = $"http://127.0.0.1:{port}", ["Protocols"] = protocols };

    private static JsonObject Cluster(JournalService service) => new()
    {
        ["Destinations"] = new JsonObject { ["a"] = new JsonObject { ["Address"] = service.Address.ToString() } },
    };
}
