using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Hosting;

namespace FenceGateway.Benchmarks.Allocations;

/// <summary>
/// The gateway with three routes to one service: bare, fenced, and fenced with every resilience mechanism.
/// </summary>
internal sealed class GatewayUnderTest : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fencegateway-allocations-").FullName;
    private readonly RawService _service = new();
    private BuiltGateway _gateway = null!;

    public int Port => new Uri(_gateway.DataAddress).Port;

    public static async Task<GatewayUnderTest> StartAsync()
    {
        var started = new GatewayUnderTest();
        await started.StartGatewayAsync();
        return started;
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.App.StopAsync();
        await _gateway.DisposeAsync();
        await _service.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task StartGatewayAsync()
    {
        var file = Path.Combine(_folder, "gateway.json");
        await File.WriteAllTextAsync(file, Configuration());
        _gateway = await GatewayHost.BuildAsync(
            new GatewayArguments(file, []), TimeProvider.System, CancellationToken.None);
        await _gateway.App.StartAsync();
    }

    private string Configuration() =>
        $$"""
        {
          "Urls": "http://127.0.0.1:0",
          "Serilog": { "MinimumLevel": "Warning" },
          "ReverseProxy": {
            "Routes": {
              "fenced": {
                "ClusterId": "service", "Match": { "Path": "/fenced/{id}" }, "Metadata": { "FencingPolicy": "per-id" }
              },
              "direct": { "ClusterId": "service", "Match": { "Path": "/direct/{id}" } },
              "resilient": {
                "ClusterId": "resilient", "Match": { "Path": "/resilient/{id}" }, "RateLimiterPolicy": "per-client",
                "Metadata": { "FencingPolicy": "per-id", "ResiliencePolicy": "everything" }
              }
            },
            "Clusters": {
              "service": { "Destinations": { "a": { "Address": "http://127.0.0.1:{{_service.Port}}/" } } },
              "resilient": {
                "LoadBalancingPolicy": "ResourceHash", "Destinations": { "a": { "Address": "http://127.0.0.1:{{_service.Port}}/" } }
              }
            }
          },
          "FenceGateway": {
            "Admin": { "Url": "http://127.0.0.1:0" },
            "TokenStore": { "Provider": "Embedded", "Embedded": { "Path": "{{_folder}}/tokens" } },
            "FencingPolicies": { "per-id": { "Resource": "things/{id}" } },
            "Idempotency": { "Path": "{{_folder}}/answers" },
            "ResiliencePolicies": {
              "everything": {
                "CircuitBreaker": {},
                "Bulkhead": { "PermitLimit": 1000, "PerResource": { "PermitLimit": 100 }, "Adaptive": { "MinLimit": 500, "MaxLimit": 2000 } },
                "Timeouts": { "Connect": "00:00:02", "FirstByte": "00:00:10", "Idle": "00:00:30", "Total": "00:00:30" },
                "Retry": {},
                "Idempotency": {}
              }
            },
            "RateLimiterPolicies": { "per-client": { "PermitLimit": 10000000, "PartitionBy": [ "ClientAddress" ] } }
          }
        }
        """;
}
