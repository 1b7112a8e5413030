using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Stores;
using FenceGateway.Gateway.Tests.Configuration;
using Microsoft.Extensions.Configuration;

namespace FenceGateway.Gateway.Tests.Settings;

public sealed class GatewayConfigurationTests
{
    [Fact]
    public async Task Load_OnlyResourceGiven_HasDocumentedDefaults()
    {
        using var folder = new ConfigurationFolder();
        folder.Write(Json.Good);
        using var configuration = await folder.LoadAsync();

        var policy = configuration.Current.FencingPolicies["PER-ORDER"];
        policy.Name.ShouldBe("per-order");
        policy.Resource.Text.ShouldBe("orders/{id}");
        policy.Header.ShouldBe("Fencing-Token");
        policy.HeaderAliases.ShouldBeEmpty();
        policy.TokenHeaders.ShouldBe(["Fencing-Token"]);
        policy.Mode.ShouldBe(FencingMode.Enforce);
        policy.MissingToken.ShouldBe(MissingTokenAction.Reject);
        policy.Barrier.ShouldBe(FenceBarrier.Drain);
        policy.DrainTimeout.ShouldBe(TimeSpan.FromSeconds(5));
        policy.InDoubtHold.ShouldBe(TimeSpan.FromSeconds(10));
        policy.WriteTimeout.ShouldBe(TimeSpan.FromSeconds(30));
        policy.Reads.ShouldBe(FencedReads.Advance);
        policy.AdvanceOn.ShouldBe(AdvanceOn.Admission);
        policy.StoreUnavailable.ShouldBe(StoreUnavailableAction.Reject);
        policy.ExposeMark.ShouldBeFalse();
        configuration.Current.Options.TokenStore.Provider.ShouldBe(TokenStoreProvider.Embedded);
        (configuration.Current.Routes.Count, configuration.Current.Clusters.Count).ShouldBe((1, 1));
    }

    [Fact]
    public async Task Load_KeysAndNamesInAnyCase_AreUnderstood()
    {
        using var folder = new ConfigurationFolder();
        folder.Write(
            Json.Policy(
                "\"MODE\": \"report\", \"drainTimeout\": \"00:01:00.5\", \"inDoubtHold\": \"1.00:00:00\", "
                    + "\"exposemark\": true"));
        using var configuration = await folder.LoadAsync();

        var policy = configuration.Current.FencingPolicies["per-order"];
        policy.Mode.ShouldBe(FencingMode.Report);
        policy.DrainTimeout.ShouldBe(TimeSpan.FromSeconds(60.5));
        policy.InDoubtHold.ShouldBe(TimeSpan.FromDays(1));
        policy.ExposeMark.ShouldBeTrue();
    }

    [Fact]
    public async Task Load_HeaderAndAliases_AreAllTokenHeaders()
    {
        using var folder = new ConfigurationFolder();
        folder.Write(
            Json.Policy("\"Header\": \"My_Token\", \"HeaderAliases\": [ \"X-Fencing-Token\", \"a-b-c-d-e-f\" ]"));
        using var configuration = await folder.LoadAsync();

        configuration.Current.FencingPolicies["per-order"].TokenHeaders.ShouldBe(
            ["My_Token", "X-Fencing-Token", "a-b-c-d-e-f"]);
    }

    [Fact]
    public async Task Load_NullValues_KeepDefaults()
    {
        using var folder = new ConfigurationFolder();
        folder.Write(Json.Policy("\"Mode\": null, \"HeaderAliases\": null, \"DrainTimeout\": null"));
        using var configuration = await folder.LoadAsync();

        configuration.Current.FencingPolicies["per-order"].Mode.ShouldBe(FencingMode.Enforce);
    }

    [Fact]
    public async Task AddTo_SettingInAllLayers_CommandLineBeatsEnvironmentBeatsFile()
    {
        using var folder = new ConfigurationFolder();
        folder.Write("""{ "Urls": "http://127.0.0.1:1", "Serilog": { "a": "file", "b": "file", "c": "file" } }""");
        using var configuration = await folder.LoadAsync(
            ["--Serilog:a", "command"],
            new(StringComparer.Ordinal) { ["Serilog:a"] = "environment", ["Serilog:b"] = "environment" });
        var host = new ConfigurationManager { ["Serilog:d"] = "was there before" };
        configuration.AddTo(host);

        (host["Serilog:a"], host["Serilog:b"], host["Serilog:c"], host["Serilog:d"]).ShouldBe(
            ("command", "environment", "file", null));
        host["Urls"].ShouldBe("http://127.0.0.1:1");
    }

    [Theory]
    [InlineData("{}", "http://127.0.0.1:8080")]
    [InlineData("{ \"http_ports\": \"7000\" }", null)]
    [InlineData("{ \"Kestrel\": { \"Endpoints\": { \"a\": { \"Url\": \"http://127.0.0.1:7000\" } } } }", null)]
    public async Task AddTo_NoUrls_DefaultOnlyWhereNothingElseSaysWhereToListen(string json, string? urls)
    {
        using var folder = new ConfigurationFolder();
        folder.Write(json);
        using var configuration = await folder.LoadAsync();
        var builder = new ConfigurationBuilder();
        configuration.AddTo(builder);

        builder.Build()["Urls"].ShouldBe(urls);
    }

    [Fact]
    public async Task Render_Secrets_AreLeftOut()
    {
        using var folder = new ConfigurationFolder();
        folder.Write("""
            {
              "Kestrel": { "Certificates": { "Default": { "Password": "s3cret" } } },
              "ReverseProxy": {
                "Routes": {
                  "r": {
                    "ClusterId": "c", "Match": { "Path": "/" },
                    "Transforms": [ { "RequestHeader": "Authorization", "Set": "Bearer s3cret" }, { "PathPrefix": "/x" } ],
                    "Metadata": { "ApiKey": "s3cret", "FencingPolicy": "per-order" }
                  }
                },
                "Clusters": {
                  "c": {
                    "HttpClient": { "WebProxy": { "Address": "http://user:s3cret@127.0.0.1:1/" } },
                    "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } }
                  }
                }
              },
              "FenceGateway": { "FencingPolicies": { "per-order": { "Resource": "all" } } }
            }
            """);
        using var configuration = await folder.LoadAsync();
        var builder = new ConfigurationBuilder();
        configuration.AddTo(builder);

        var json = EffectiveConfiguration.Render(builder.Build(), configuration.Current.Options);

        json.ToJsonString().ShouldNotContain("s3cret");
        var route = json["ReverseProxy"]!["Routes"]!["r"]!;
        route["Transforms"]![0]!["RequestHeader"]!.ToString().ShouldBe("Authorization");
        route["Transforms"]![1]!["PathPrefix"]!.ToString().ShouldBe("/x");
        route["Metadata"]!["FencingPolicy"]!.ToString().ShouldBe("per-order");
        json["FenceGateway"]!["FencingPolicies"]!["per-order"]!["WriteTimeout"]!.ToString().ShouldBe("00:00:30");
    }
}
