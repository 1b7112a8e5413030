using System.Text.Json;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.CircuitBreaking;

/// <summary>
/// Gateways with a circuit breaker that needs four attempts, and a look at it through the admin listener.
/// </summary>
internal static class CircuitSetup
{
    public const string Cluster = "/admin/v1/clusters/service";

    public static readonly TimeSpan Break = TimeSpan.FromSeconds(5);

    public static GatewaySetup With(string breaker = """ "MinimumThroughput": 4 """, string mechanisms = "", string cluster = "") => ResilientSetup.With(
        $$""" "CircuitBreaker": { {{breaker}}  } {{Further(mechanisms)}} """) with
    {
        Policy = "",
        Cluster = $$""" "Metadata": { "ResiliencePolicy": "p" } {{Further(cluster)}} """,
    };

    /// <summary>The circuit of a destination.</summary>
    public static async Task<JsonElement> CircuitAsync(this FencedGateway gateway, string destination = "a") =>
        (await gateway.AdminGetAsync(Cluster)).Json.GetProperty("destinations").EnumerateArray()
            .Single(d => d.GetProperty("destination").GetString() == destination)
            .GetProperty("circuits").EnumerateArray().Single();

    public static async Task<string?> StateAsync(this FencedGateway gateway, string destination = "a") =>
        (await gateway.CircuitAsync(destination)).GetProperty("state").GetString();

    /// <summary>
    /// Completes when the circuit was told of as many attempts: that comes after the client has its answer.
    /// </summary>
    public static async Task WaitForAttemptsAsync(this FencedGateway gateway, int count, string destination = "a")
    {
        using var limit = new CancellationTokenSource(TimeLimit.Default, TimeProvider.System);
        while (Attempts(await gateway.CircuitAsync(destination)) < count)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, limit.Token);
        }

        Attempts(await gateway.CircuitAsync(destination)).ShouldBe(count);
    }

    /// <summary>Lets the circuit open by four answers with 503.</summary>
    public static async Task OpenAsync(this FencedGateway gateway)
    {
        gateway.Service.Script = _ => ServiceAction.Refuse(503);
        for (var i = 0; i < 4; i++)
        {
            (await gateway.PutAsync(33)).ShouldBeServices(503);
        }

        await gateway.WaitForAttemptsAsync(4);
        (await gateway.StateAsync()).ShouldBe("open");
    }

    public static long Count(this JsonElement circuit, string verdict) =>
        circuit.GetProperty("counts").GetProperty(verdict).GetInt64();

    private static long Attempts(JsonElement circuit) =>
        circuit.Count("succeeded") + circuit.Count("failed") + circuit.Count("slow") + circuit.Count("neutral");

    private static string Further(string members) => members.Length == 0 ? "" : $", {members}";
}
