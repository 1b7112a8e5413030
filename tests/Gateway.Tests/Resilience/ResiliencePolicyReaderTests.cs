using System.Text.Json.Nodes;
using FenceGateway.Gateway.Tests.Configuration;

namespace FenceGateway.Gateway.Tests.Resilience;

public sealed class ResiliencePolicyReaderTests
{
    [Theory]
    [InlineData("{}", "", "names no mechanism")]
    [InlineData("""{ "CircuitBreaker": null }""", "", "names no mechanism")]
    [InlineData("""{ "Retry": { "BaseDelay": "00:00:02" } }""", ".Retry.BaseDelay", "longer than MaxDelay")]
    [InlineData("""{ "Timeouts": { "FirstByte": "00:00:02", "Total": "00:00:01" } }""", ".Timeouts.FirstByte", "longer than Total")]
    [InlineData("""{ "Bulkhead": { "Adaptive": { "MinLimit": 9, "MaxLimit": 8 } } }""", ".Bulkhead.Adaptive.MinLimit", "above MaxLimit")]
    [InlineData("""{ "Bulkhead": { "Adaptive": { "MaxLimit": 32 } } }""", ".Bulkhead.PermitLimit", "where the adaptive limit starts")]
    [InlineData("""{ "Retry": { "MaxAttempt": 2 } }""", ".Retry.MaxAttempt", "did you mean 'MaxAttempts'?")]
    [InlineData("""{ "CircuitBreaker": { "FailureStatuses": [ 302 ] } }""", ".CircuitBreaker.FailureStatuses[0]", "out of range")]
    [InlineData("""{ "CircuitBreaker": { "FailureRatio": "x" } }""", ".CircuitBreaker.FailureRatio", "a number (such as 0.5)")]
    public async Task Read_Wrong_NamesPathAndRemedy(string policy, string path, string message)
    {
        var problem = (await ConfigurationFolder.ProblemsAsync(File(policy))).ShouldHaveSingleItem();

        problem.Path.ShouldBe("$.FenceGateway.ResiliencePolicies.p" + path);
        problem.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("""{ "CircuitBreaker": {} }""")]
    [InlineData("""{ "Bulkhead": { "PerResource": {}, "Adaptive": {} } }""")]
    [InlineData("""{ "Retry": {}, "Idempotency": null }""")]
    [InlineData("""{ "CircuitBreaker": { "SlowCallThreshold": null, "FailureStatuses": [] } }""")]
    public async Task Read_EmptyObjectOrNull_IsOnWithDefaultsOrOff(string policy) =>
        (await ConfigurationFolder.ProblemsAsync(File(policy))).ShouldBeEmpty();

    [Theory]
    [InlineData("Routes", "r")]
    [InlineData("Clusters", "c")]
    public async Task Name_OfNoPolicy_IsReportedWithTheNearest(string kind, string id)
    {
        var file = JsonNode.Parse(File("""{ "Retry": {} }"""))!;
        file["ReverseProxy"]![kind]![id]!["Metadata"] = new JsonObject { ["ResiliencePolicy"] = "q" };

        var problem = (await ConfigurationFolder.ProblemsAsync(file.ToJsonString())).ShouldHaveSingleItem();

        problem.Path.ShouldBe($"$.ReverseProxy.{kind}.{id}.Metadata.ResiliencePolicy");
        problem.Message.ShouldContain("did you mean 'p'?");
    }

    [Theory]
    [InlineData("Routes", "r")]
    [InlineData("Clusters", "c")]
    public async Task PerResource_WhereNothingNamesTheResource_IsReported(string kind, string id)
    {
        var file = JsonNode.Parse(File("""{ "Bulkhead": { "PerResource": {} } }"""))!;
        file["ReverseProxy"]![kind]![id]!["Metadata"] = new JsonObject { ["ResiliencePolicy"] = "p" };

        var problem = (await ConfigurationFolder.ProblemsAsync(file.ToJsonString())).ShouldHaveSingleItem();

        problem.Path.ShouldBe("$.FenceGateway.ResiliencePolicies.p.Bulkhead.PerResource");
        problem.Message.ShouldContain("no route that has this policy (r) has a FencingPolicy");
    }

    [Fact]
    public async Task PerResource_InAPolicyOfFencedAndOtherRoutes_IsGood()
    {
        var file = JsonNode.Parse(File("""{ "Bulkhead": { "PerResource": {} } }"""))!;
        file["ReverseProxy"]!["Routes"]!["r"]!["Metadata"] = new JsonObject { ["ResiliencePolicy"] = "p" };
        file["ReverseProxy"]!["Routes"]!["fenced"] = JsonNode.Parse(
            """{ "ClusterId": "c", "Match": { "Path": "/f/{id}" }, "Metadata": { "FencingPolicy": "f", "ResiliencePolicy": "p" } }""");
        file["FenceGateway"]!["FencingPolicies"] = JsonNode.Parse("""{ "f": { "Resource": "f/{id}" } }""");

        (await ConfigurationFolder.ProblemsAsync(file.ToJsonString())).ShouldBeEmpty();
    }

    [Fact]
    public async Task PerResource_OnAClusterWithAFencedRoute_IsGood()
    {
        var file = JsonNode.Parse(File("""{ "Bulkhead": { "PerResource": {} } }"""))!;
        file["ReverseProxy"]!["Clusters"]!["c"]!["Metadata"] = new JsonObject { ["ResiliencePolicy"] = "p" };
        file["ReverseProxy"]!["Routes"]!["fenced"] = JsonNode.Parse(
            """{ "ClusterId": "c", "Match": { "Path": "/f/{id}" }, "Metadata": { "FencingPolicy": "f", "ResiliencePolicy": "p" } }""");
        file["FenceGateway"]!["FencingPolicies"] = JsonNode.Parse("""{ "f": { "Resource": "f/{id}" } }""");

        (await ConfigurationFolder.ProblemsAsync(file.ToJsonString())).ShouldBeEmpty();
    }

    private static string File(string policy) => $$"""
        {
          "ReverseProxy": {
            "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/r" } } },
            "Clusters": { "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
          },
          "FenceGateway": { "ResiliencePolicies": { "p": {{policy}} } }
        }
        """;
}
