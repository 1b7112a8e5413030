using System.Text.Json.Nodes;
using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.World;

/// <summary>
/// One gateway of a fleet: a process that can be killed and started again, with its own way to the store.
/// </summary>
internal sealed class FleetGateway : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly GatewayProcessOptions _options;
    private readonly List<TcpProxy> _proxies;
    private GatewayProcess? _process;

    /// <param name="name">Its name in the history.</param>
    /// <param name="service">The service behind it.</param>
    /// <param name="store">The fleet's store.</param>
    /// <param name="prefix">The fleet's key prefix.</param>
    /// <param name="times">Of its session and its policy.</param>
    /// <param name="proxied">Whether it reaches the store through proxies.</param>
    public FleetGateway(string name, Uri service, StoreUnderTest store, string prefix, FleetTimes times, bool proxied)
    {
        Name = name;
        _proxies = proxied ? [.. store.Servers.Select(s => new TcpProxy(s.Port))] : [];
        var ports = proxied ? _proxies.Select(p => p.Port) : store.Servers.Select(s => s.Port);
        _options = new GatewayProcessOptions { ConfigFile = _folder.File("gateway.json") };
        File.WriteAllText(
            _options.ConfigFile,
            Configuration(service, times, store.Configuration(prefix, [.. ports], times.SessionTtl)).ToJsonString());
    }

    public string Name { get; }

    public Uri Address => new($"http://127.0.0.1:{_options.Port}/");

    public Uri AdminAddress => new($"http://127.0.0.1:{_options.AdminPort}/");

    /// <summary>
    /// The path of the resource that only this gateway is asked for, with a token that never changes.
    /// </summary>
    public string Bystander => $"/orders/only-{Name}";

    /// <summary>The way to the store, for faults; empty when the gateway was not to have one of its own.</summary>
    public IReadOnlyList<TcpProxy> Proxies => _proxies;

    /// <summary>Starts it, and waits until it is ready.</summary>
    public async Task StartAsync() => _process = await GatewayProcess.StartAsync(_options);

    public async Task KillAsync()
    {
        await _process!.DisposeAsync();
        _process = null;
    }

    public void Signal(UnixSignal signal) => _process!.Signal(signal);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        foreach (var proxy in _proxies)
        {
            await proxy.DisposeAsync();
        }

        _folder.Dispose();
    }

    private static JsonObject Configuration(Uri service, FleetTimes times, JsonObject store)
    {
        return new JsonObject
        {
            ["Serilog"] = new JsonObject { ["MinimumLevel"] = "Warning" },
            ["ReverseProxy"] = new JsonObject
            {
                ["Routes"] = new JsonObject
                {
                    ["orders"] = new JsonObject
                    {
                        ["ClusterId"] = "orders",
                        ["Match"] = new JsonObject { ["Path"] = "/orders/{id}" },
                        ["Metadata"] = new JsonObject { ["FencingPolicy"] = "per-order" },
                    },
                },
                ["Clusters"] = new JsonObject
                {
                    ["orders"] = new JsonObject
                    {
                        ["Destinations"] = new JsonObject { ["a"] = JsonNode.Parse($$"""{ "Address": "{{service}}" }""") },
                    },
                },
            },
            ["FenceGateway"] = new JsonObject
            {
                ["TokenStore"] = store,
                ["FencingPolicies"] = new JsonObject
                {
                    ["per-order"] = new JsonObject
                    {
                        ["Resource"] = "orders/{id}",
                        ["DrainTimeout"] = times.DrainTimeout.ToString(),
                        ["InDoubtHold"] = times.InDoubtHold.ToString(),
                        ["WriteTimeout"] = times.WriteTimeout.ToString(),
                        ["ExposeMark"] = true,
                    },
                },
            },
        };
    }
}
