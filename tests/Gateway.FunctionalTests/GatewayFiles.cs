using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests;

/// <summary>
/// What a gateway process needs on disk: a configuration with one fenced route <c>/orders/{id}</c>, and a folder for
/// its tokens. Outlives the process, so that it can be started again on the same marks.
/// </summary>
internal sealed class GatewayFiles : IDisposable
{
    public const string Policy = "per-order";

    private readonly TempFolder _folder = new();

    /// <param name="service">The service behind the route.</param>
    /// <param name="change">Changes the configuration before it is written.</param>
    public GatewayFiles(Uri service, Action<JsonObject>? change = null)
    {
        var json = Configuration(service);
        change?.Invoke(json);
        File.WriteAllText(ConfigFile, json.ToJsonString());
    }

    public string ConfigFile => _folder.File("gateway.json");

    /// <summary>The folder of the embedded token store.</summary>
    public string Tokens => _folder.File("tokens");

    /// <summary>The settings of the policy <see cref="Policy"/> in <paramref name="configuration"/>.</summary>
    public static JsonObject PolicyOf(JsonObject configuration) =>
        configuration["FenceGateway"]!["FencingPolicies"]![Policy]!.AsObject();

    public void Dispose() => _folder.Dispose();

    private JsonObject Configuration(Uri service) => JsonNode.Parse($$"""
        {
          "ReverseProxy": {
            "Routes": {
              "orders": {
                "ClusterId": "orders",
                "Match": { "Path": "/orders/{id}" },
                "Metadata": { "FencingPolicy": "{{Policy}}" }
              }
            },
            "Clusters": { "orders": { "Destinations": { "a": { "Address": "{{service}}" } } } }
          },
          "FenceGateway": {
            "TokenStore": { "Provider": "Embedded", "Embedded": { "Path": "{{Tokens}}" } },
            "FencingPolicies": {
              "{{Policy}}": { "Resource": "orders/{id}", "DrainTimeout": "00:00:01", "InDoubtHold": "00:00:00.5", "WriteTimeout": "00:00:10" }
            }
          }
        }
        """)!.AsObject();
}
