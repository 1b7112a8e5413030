using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Settings;
using Microsoft.Extensions.Configuration.Memory;

namespace FenceGateway.Gateway.Tests.Configuration;

/// <summary>A temporary folder with a configuration file.</summary>
public sealed class ConfigurationFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fencegateway-");

    public string File => Path.Combine(_folder.FullName, "gateway.json");

    public string Other(string name) => Path.Combine(_folder.FullName, name);

    public void Write(string json) => System.IO.File.WriteAllText(File, json);

    internal Task<LastGoodConfiguration> LoadAsync(
        string[]? settings = null, Dictionary<string, string?>? environment = null) =>
        LastGoodConfiguration.LoadAsync(
            File,
            new ConfigurationLayers(
                settings ?? [],
                [new MemoryConfigurationSource { InitialData = environment ?? [] }]),
            TimeProvider.System,
            TestContext.Current.CancellationToken);

    /// <summary>The problems of a configuration file with this content; none if it is good.</summary>
    internal static async Task<IReadOnlyList<ConfigProblem>> ProblemsAsync(
        string json, string[]? settings = null, Dictionary<string, string?>? environment = null)
    {
        using var folder = new ConfigurationFolder();
        folder.Write(json);
        try
        {
            using var configuration = await folder.LoadAsync(settings, environment);
            return [];
        }
        catch (ConfigurationRejectedException e)
        {
            return e.Problems;
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);
}

/// <summary>Small configurations.</summary>
internal static class Json
{
    public const string Good = """
        {
          "ReverseProxy": {
            "Routes": {
              "orders": {
                "ClusterId": "orders",
                "Match": { "Path": "/orders/{id}/{**rest}" },
                "Metadata": { "FencingPolicy": "per-order" }
              }
            },
            "Clusters": { "orders": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
          },
          "FenceGateway": { "FencingPolicies": { "per-order": { "Resource": "orders/{id}" } } }
        }
        """;

    public static string Gateway(string members) => $$"""{ "FenceGateway": { {{members}} } }""";

    public static string Policy(string members) =>
        Gateway($$""" "FencingPolicies": { "per-order": { "Resource": "orders/{id}", {{members}} } } """);

    /// <summary>A route "r" with these members beside its cluster, and the policy "per-order".</summary>
    public static string Route(string members) => $$"""
        {
          "ReverseProxy": {
            "Routes": { "r": { "ClusterId": "c", {{members}} } },
            "Clusters": { "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
          },
          "FenceGateway": { "FencingPolicies": { "per-order": { "Resource": "orders/{id}" } } }
        }
        """;
}
