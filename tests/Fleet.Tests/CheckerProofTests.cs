using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.Fleet.Tests.World;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests;

/// <summary>What a grade does not promise does break, and the checker sees it: otherwise the other tests prove nothing.</summary>
public sealed class CheckerProofTests(ITestOutputHelper output)
{
    [Fact]
    public Task Fleet_StoreThatIsNotShared_IsCaught() => CaughtAsync(new MemoryUnderTest(), (_, _) => Task.CompletedTask);

    private async Task CaughtAsync(StoreUnderTest store, Func<FleetWorld, Random, Task> fault)
    {
        var seed = new RandomSeed();
        await using (store)
        {
            await store.StartAsync();
            await seed.RunAsync(async random =>
            {
                await using var world = await FleetWorld.StartAsync(random, store, 2);
                await world.RunAsync(random, 3, r => fault(world, r));
                await world.EndAsync();
                var violations = HistoryChecker.Check(world.History);
                output.WriteLine(string.Join('\n', violations));
                var rules = violations.Select(v => v.Rule).ToList();
                rules.ShouldContain("I1");
                rules.ShouldContain("I2");
            });
        }
    }
}
