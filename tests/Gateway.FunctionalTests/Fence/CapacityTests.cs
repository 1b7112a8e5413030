using FenceGateway.Fencing;
using FenceGateway.Gateway.FunctionalTests.Resilience.Bulkheads;
using FenceGateway.TokenStore;
using Microsoft.Extensions.DependencyInjection;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>More resources in use at once than the gateway holds.</summary>
public sealed class CapacityTests
{
    private static readonly AdmissionRules Rules = new(Drain: true, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10));

    [Fact]
    public async Task StoreUnavailableAllow_NoRoomWhenItsTurnComes_IsRefusedAndNotForwardedUnfenced()
    {
        await using var gateway = await FencedGateway.StartAsync(
            BulkheadSetup.OnRoute(""" "PermitLimit": 1, "QueueLimit": 1 """, """ "StoreUnavailable": "Allow" """) with
            {
                Store = """ "Provider": "Memory", "MaxActiveResources": 16 """,
            });
        gateway.Hold(33);
        var (answering, held) = await gateway.PutHeldAsync(33);
        var queued = await gateway.PutQueuedAsync(7, "/orders/2");
        await FillAsync(gateway.Services.GetRequiredService<FenceTable>());

        // In doubt: it gives its place up, and not its fence.
        held.Reset();
        (await answering).ShouldBeProblem(502, "upstream-unreachable");

        (await queued).ShouldBeProblem(503, "token-store-unavailable");
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    /// <summary>Writes in flight at as many resources as there is room for.</summary>
    private static async Task FillAsync(FenceTable table)
    {
        for (var i = 0; i < 64; i++)
        {
            ResourceFence fence;
            try
            {
                fence = table.Get($"others/{i}");
            }
            catch (TokenStoreUnavailableException)
            {
                return;
            }

            var admission = await table.AdmitAsync(
                fence, new FencingToken(1), isWrite: true, Rules, CancellationToken.None);
            admission.Status.ShouldBe(AdmissionStatus.Admitted);
        }

        Assert.Fail("There is always room.");
    }
}
