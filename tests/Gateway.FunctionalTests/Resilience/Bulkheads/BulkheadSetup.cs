using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TestKit;
using Microsoft.Extensions.DependencyInjection;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Bulkheads;

/// <summary>The fenced route with a bulkhead, its own or its cluster's, and what is in use there.</summary>
internal static class BulkheadSetup
{
    /// <summary>Different from every other timer.</summary>
    public static readonly TimeSpan QueueTimeout = TimeSpan.FromSeconds(13);

    /// <param name="members">The members of <c>Bulkhead</c> besides the time-out.</param>
    /// <param name="policy">Laid over the fencing policy.</param>
    public static GatewaySetup OnRoute(string members, string policy = GatewaySetup.PatientDrain) => new()
    {
        Policy = policy,
        Route = """ "Metadata": { "FencingPolicy": "per-order", "ResiliencePolicy": "p" } """,
        Gateway = Policies(members),
    };

    /// <param name="members">The members of <c>Bulkhead</c> besides the time-out.</param>
    public static GatewaySetup OnCluster(string members) => new()
    {
        Policy = GatewaySetup.PatientDrain,
        Cluster = """ "Metadata": { "ResiliencePolicy": "p" } """,
        Gateway = Policies(members),
    };

    public static BulkheadRegistry Bulkheads(this FencedGateway gateway) =>
        gateway.Services.GetRequiredService<BulkheadRegistry>();

    /// <summary>Places in use and requests that wait, over all bulkheads.</summary>
    public static (int InUse, int Waiting) Places(this FencedGateway gateway)
    {
        var bulkheads = gateway.Bulkheads();
        var resources = bulkheads.Resources.Select(r => r.CountAll()).ToArray();
        return (
            bulkheads.All.Sum(b => b.InUse) + resources.Sum(r => r.InUse),
            bulkheads.All.Sum(b => b.Waiting) + resources.Sum(r => r.Waiting));
    }

    /// <summary>Sends a write that has to wait for a place, and returns when it does.</summary>
    public static async Task<Task<Answer>> PutQueuedAsync(
        this FencedGateway gateway, long? token, string path = "/orders/1")
    {
        var before = gateway.Places().Waiting;
        var answering = gateway.PutAsync(token, path);
        await gateway.UntilAsync(() => gateway.Places().Waiting > before, "the request to wait for a place");
        return answering;
    }

    public static Task UntilAsync(this FencedGateway gateway, Func<bool> condition, string what) =>
        Eventually.IsSoAsync(condition, $"{what} ({gateway.Places()} in use and waiting before)");

    private static string Policies(string members) =>
        $$""" "ResiliencePolicies": { "p": { "Bulkhead": { "QueueTimeout": "{{QueueTimeout}}", {{members}} } } } """;
}
