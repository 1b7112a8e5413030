using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Tests.Configuration;

namespace FenceGateway.Gateway.Tests.Settings;

/// <summary>What of a good configuration loses something, or cannot be shared by a fleet.</summary>
public sealed class SharedSettingsTests
{
    private const string Redis = """ "Provider": "Redis", "Redis": { "Configuration": "127.0.0.1:6379" } """;
    private const string Etcd = """ "Provider": "Etcd", "Etcd": { "Endpoints": [ "http://127.0.0.1:2379" ] } """;
    private const string Memory = """ "Provider": "Memory" """;

    [Theory]
    [InlineData(Redis, "Cookie", true)]
    [InlineData(Redis, "customheader", true)]
    [InlineData(Etcd, "Cookie", true)]
    [InlineData(Redis, "HashCookie", false)]
    [InlineData(Redis, "ArrCookie", false)]
    [InlineData(Memory, "Cookie", false)]
    public async Task SessionAffinity_WithKeysOfOneMachine_IsWarnedOfInAFleet(string store, string policy, bool warned)
    {
        var warnings = await WarningsAsync(store, $$""" "Enabled": true, "Policy": "{{policy}}", "AffinityKeyName": "key" """);

        warnings.Count.ShouldBe(warned ? 1 : 0);
        if (warned)
        {
            warnings[0].Path.ShouldBe("$.ReverseProxy.Clusters.c.SessionAffinity.Policy");
            warnings[0].Message.ShouldContain("HashCookie");
        }
    }

    [Theory]
    [InlineData(""" "Enabled": false, "Policy": "Cookie", "AffinityKeyName": "key" """)]
    [InlineData(""" "Enabled": true, "AffinityKeyName": "key" """)]
    public async Task SessionAffinity_OffOrByDefault_IsNotWarnedOf(string affinity) =>
        (await WarningsAsync(Redis, affinity)).ShouldBeEmpty();

    [Theory]
    [InlineData("""{ "PathPattern": "/v2/{**rest}" }""", false)]
    [InlineData("""{ "PathPattern": "/v2/{*rest}" }""", true)]
    [InlineData("""{ "PathPattern": "/v2/{id}/{**rest}" }""", true)]
    [InlineData("""{ "PathRemovePrefix": "/o" }, { "PathPattern": "/v2/{rest}" }""", true)]
    [InlineData("""{ "PathPattern": "/v2" }""", false)]
    [InlineData("""{ "PathSet": "/v2" }""", false)]
    [InlineData("""{ "PathRemovePrefix": "/o" }, { "PathPrefix": "/v2" }""", false)]
    public async Task PathPattern_WithAParameter_IsWarnedOf(string transforms, bool warned)
    {
        var warnings = await WarningsAsync(Memory, "", transforms);

        warnings.Count.ShouldBe(warned ? 1 : 0);
        if (warned)
        {
            warnings[0].Path.ShouldEndWith("].PathPattern");
            warnings[0].Message.ShouldContain("%2F");
        }
    }

    private static async Task<IReadOnlyList<ConfigProblem>> WarningsAsync(
        string store, string affinity, string transforms = "")
    {
        using var folder = new ConfigurationFolder();
        folder.Write($$"""
            {
              "ReverseProxy": {
                "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/o/{**rest}" }, "Transforms": [ {{transforms}} ] } },
                "Clusters": { "c": {
                  "SessionAffinity": { {{affinity}} },
                  "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
              },
              "FenceGateway": { "TokenStore": { {{store}} } }
            }
            """);
        using var configuration = await folder.LoadAsync();
        return ConfigurationWarnings.Of(configuration.Current);
    }
}
