using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Bulkheads;

/// <summary>Places of each resource by itself.</summary>
public sealed class ResourceBulkheadTests
{
    private const string TwoPlaces = """ "PermitLimit": 64, "PerResource": { "PermitLimit": 2, "QueueLimit": 1 } """;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task HotResource_TakesItsOwnPlacesOnly(bool onRoute)
    {
        await using var gateway = await FencedGateway.StartAsync(
            onRoute ? BulkheadSetup.OnRoute(TwoPlaces) : BulkheadSetup.OnCluster(TwoPlaces));
        gateway.Service.Script = e => e.Resource == "/orders/1" ? ServiceAction.Hold : ServiceAction.Apply();
        var (first, held1) = await gateway.PutHeldAsync(33);
        var (second, held2) = await gateway.PutHeldAsync(33);
        var third = await gateway.PutQueuedAsync(33);

        var refused = await gateway.PutAsync(33);
        refused.ShouldBeProblem(503, "bulkhead-full");
        refused.RetryAfter.ShouldBe(13);
        (await gateway.GetAsync(null)).ShouldBeProblem(503, "bulkhead-full");
        (await gateway.PutAsync(33, "/orders/2")).ShouldBeServices(200);
        (await gateway.GetAsync(null, "/orders/2")).ShouldBeServices(200);

        held1.Release();
        (await first).ShouldBeServices(200);
        (await gateway.Service.NextArrivalAsync()).Entry.Resource.ShouldBe("/orders/2");
        (await gateway.Service.NextArrivalAsync()).Entry.Resource.ShouldBe("/orders/2");
        var held3 = await gateway.Service.NextArrivalAsync();
        held2.Release();
        held3.Release();
        (await Task.WhenAll(second, third)).ShouldAllBe(a => a.Status == 200);
    }

    [Fact]
    public async Task ReadsWithoutAToken_HoldAllPlaces_AWriteWaitsItsTurn()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(TwoPlaces));
        gateway.HoldAll();
        var reads = new[] { gateway.GetAsync(null), gateway.GetAsync(null) };
        var held = await gateway.Service.NextArrivalAsync();
        (await gateway.Service.NextArrivalAsync()).Release();
        await Task.WhenAny(reads);
        var again = gateway.GetAsync(null);
        var heldAgain = await gateway.Service.NextArrivalAsync();

        var write = await gateway.PutQueuedAsync(33);

        held.Release();
        (await gateway.Service.NextArrivalAsync()).Release();
        (await write).ShouldBeServices(200);
        heldAgain.Release();
        (await Task.WhenAll([.. reads, again])).ShouldAllBe(a => a.Status == 200);
    }

    [Fact]
    public async Task NewHolder_OlderWritesHoldAllPlaces_SealsAtOnceAndGoesWhenTheyHaveEnded()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(TwoPlaces));
        gateway.Hold(33);
        var (first, held1) = await gateway.PutHeldAsync(33);
        var (second, held2) = await gateway.PutHeldAsync(33);
        var older = await gateway.PutQueuedAsync(33);

        var newer = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));

        (await older).ShouldBeProblem(409, "fencing-token-stale");
        held1.Release();
        held2.Release();
        (await newer).ShouldBeServices(200);
        (await Task.WhenAll(first, second)).ShouldAllBe(a => a.Status == 200);
        gateway.Service.Entries.Select(e => e.Token).ShouldBe([33, 33, 34]);
        HistoryChecker.Check(gateway.Service.Writes).ShouldBeEmpty();
        await gateway.UntilAsync(() => gateway.Places() == (0, 0), "all places to be given back");
    }
}
