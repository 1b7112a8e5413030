using System.Text.Json;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.CircuitBreaking;

/// <summary>Clusters on the admin listener: what they show, and what an operator can do.</summary>
public sealed class CircuitAdminTests
{
    private const string Destination = $"{CircuitSetup.Cluster}/destinations/a";
    private const string Reason = """{ "reason": "maintenance" }""";

    [Fact]
    public async Task Clusters_ShowDestinationsAndCircuits()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        await gateway.OpenAsync();
        (await gateway.PutAsync(33)).ShouldBeProblem(503, "circuit-open");

        var list = await gateway.AdminGetAsync("/admin/v1/clusters");

        list.ShouldBeServices(200);
        var cluster = list.Json.GetProperty("clusters").EnumerateArray().ShouldHaveSingleItem();
        cluster.GetProperty("cluster").GetString().ShouldBe("service");
        cluster.GetProperty("state").GetString().ShouldBe("open");
        cluster.GetProperty("policies").EnumerateArray().ShouldHaveSingleItem().GetString().ShouldBe("p");
        var destination = cluster.GetProperty("destinations").EnumerateArray().ShouldHaveSingleItem();
        destination.GetProperty("address").GetString().ShouldBe(gateway.Service.Address.ToString());
        destination.GetProperty("health").GetProperty("passive").GetString().ShouldBe("Unknown");
        destination.GetProperty("inFlight").GetInt32().ShouldBe(0);
        destination.GetProperty("state").GetString().ShouldBe("open");
        var circuit = destination.GetProperty("circuits").EnumerateArray().ShouldHaveSingleItem();
        circuit.GetProperty("since").GetDateTimeOffset().ShouldBe(gateway.Clock.GetUtcNow());
        circuit.GetProperty("until").GetDateTimeOffset().ShouldBe(gateway.Clock.GetUtcNow() + CircuitSetup.Break);
        circuit.Count("failed").ShouldBe(4);
        circuit.Count("shed").ShouldBe(1);
        JsonElement.DeepEquals((await gateway.AdminGetAsync(CircuitSetup.Cluster)).Json, cluster).ShouldBeTrue();
    }

    [Fact]
    public async Task Isolate_KeepsRequestsAwayUntilClosed()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());

        var isolated = await gateway.AdminPostAsync($"{Destination}/isolate", Reason);

        isolated.ShouldBeServices(200);
        isolated.Json.GetProperty("state").GetString().ShouldBe("isolated");
        (await gateway.CircuitAsync()).GetProperty("reason").GetString().ShouldBe("maintenance");
        gateway.Clock.Advance(TimeSpan.FromHours(1));
        var refused = await gateway.PutAsync(33);
        refused.ShouldBeProblem(503, "circuit-open");
        refused.RetryAfter.ShouldBe(5);
        gateway.Service.Entries.ShouldBeEmpty();

        (await gateway.AdminPostAsync($"{Destination}/close", """{ "reason": "done" }""")).ShouldBeServices(200);
        (await gateway.PutAsync(33)).ShouldBeServices(200);
        (await gateway.CircuitAsync()).GetProperty("reason").GetString().ShouldBe("an operator closed it: done");
    }

    [Fact]
    public async Task Close_OpenCircuit_LetsRequestsThroughAtOnce()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        await gateway.OpenAsync();
        gateway.Service.Script = _ => ServiceAction.Apply();

        (await gateway.AdminPostAsync($"{Destination}/close", """{ "reason": "repaired" }""")).ShouldBeServices(200);

        (await gateway.PutAsync(33)).ShouldBeServices(200);
    }

    [Fact]
    public async Task Reload_OtherBreaker_StartsAnewButAnIsolatedDestinationStaysIsolated()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        await gateway.OpenAsync();
        (await gateway.ReloadAsync(CircuitSetup.With(""" "MinimumThroughput": 4 """, """ "Retry": { "MaxAttempts": 2 } """)))
            .Succeeded.ShouldBeTrue();
        (await gateway.StateAsync()).ShouldBe("open");

        (await gateway.ReloadAsync(CircuitSetup.With(""" "MinimumThroughput": 9 """))).Succeeded.ShouldBeTrue();
        (await gateway.StateAsync()).ShouldBe("closed");

        (await gateway.AdminPostAsync($"{Destination}/isolate", Reason)).ShouldBeServices(200);
        (await gateway.ReloadAsync(CircuitSetup.With(""" "MinimumThroughput": 8 """))).Succeeded.ShouldBeTrue();
        (await gateway.PutAsync(33)).ShouldBeProblem(503, "circuit-open");
        (await gateway.ReloadAsync(CircuitSetup.With(""" "MinimumThroughput": 8 """) with { Cluster = "" })).Succeeded.ShouldBeTrue();
        (await gateway.PutAsync(33)).ShouldBeServices(503);
    }

    [Theory]
    [InlineData("/admin/v1/clusters/none/destinations/a/isolate", Reason, 404, "List them with GET /admin/v1/clusters")]
    [InlineData("/admin/v1/clusters/service/destinations/none/isolate", Reason, 404, "it has: a.")]
    [InlineData("/admin/v1/clusters/service/destinations/a/forget", Reason, 404, "/admin/v1/")]
    [InlineData("/admin/v1/clusters/service/destinations/a/isolate", "{}", 400, "reason")]
    [InlineData("/admin/v1/clusters/service/destinations/a/close", """{ "reason": "" }""", 400, "reason")]
    public async Task Change_WrongNameOrBody_IsExplainedAndNothingChanges(
        string path, string body, int status, string explanation)
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());

        var answer = await gateway.AdminPostAsync(path, body);

        answer.Status.ShouldBe(status);
        answer.Json.GetProperty("detail").GetString().ShouldNotBeNull().ShouldContain(explanation);
        (await gateway.StateAsync()).ShouldBe("closed");
    }

    [Fact]
    public async Task Change_NotJson_400()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        (await gateway.AdminPostAsync($"{Destination}/isolate", Reason, "text/plain")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task Cluster_WithoutABreaker_HasNoStateAndCannotBeIsolated()
    {
        await using var gateway = await FencedGateway.StartAsync();

        var cluster = (await gateway.AdminGetAsync(CircuitSetup.Cluster)).Json;
        var refused = await gateway.AdminPostAsync($"{Destination}/isolate", Reason);

        cluster.GetProperty("state").GetString().ShouldBeNull();
        cluster.GetProperty("destinations")[0].GetProperty("circuits").GetArrayLength().ShouldBe(0);
        refused.ShouldBeProblem(409, "about:blank");
        (await gateway.AdminGetAsync("/admin/v1/clusters/none")).ShouldBeProblem(404, "about:blank");
    }
}
