using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.Fleet.Tests.World;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests;

/// <summary>
/// What a grade does not promise does break, and the checker sees it: otherwise the other tests prove nothing.
/// </summary>
public sealed class CheckerProofTests(ITestOutputHelper output)
{
    private const int MostRounds = 10;

    [Fact]
    public Task Fleet_StoreThatIsNotShared_IsCaught() =>
        CaughtAsync(new MemoryUnderTest(), (_, _) => Task.CompletedTask);

    [Fact]
    public Task Fleet_RedisThatLosesWhatItHadNotFlushed_IsCaught() => CaughtAsync(
        new RedisUnderTest(new RedisServerOptions { AppendFsync = "everysec" }), FleetFaults.LoseEverythingAsync);

    [Fact]
    public Task Fleet_RedisWithoutALog_IsCaught() => CaughtAsync(
        new RedisUnderTest(new RedisServerOptions { AppendOnly = false }), FleetFaults.LoseEverythingAsync);

    private async Task CaughtAsync(StoreUnderTest store, Func<FleetWorld, Random, Task> fault)
    {
        var seed = new RandomSeed();
        await using (store)
        {
            await store.StartAsync();
            await seed.RunAsync(async random =>
            {
                await using var world = await FleetWorld.StartAsync(random, store, 2);
                IReadOnlyList<HistoryViolation> violations = [];
                for (var round = 0; round < MostRounds && !Caught(violations); round++)
                {
                    await world.RunAsync(random, 1, r => fault(world, r));
                    violations = HistoryChecker.Check(world.History);
                }

                output.WriteLine($"{seed}: {FleetReport.Summary(world.History)}\n{string.Join('\n', violations)}");
                if (!Caught(violations))
                {
                    FleetReport.WriteTrace(world, "/orders/0", seed, output);
                }

                Caught(violations).ShouldBeTrue();
            });
        }
    }

    /// <summary>
    /// Marks that went back let older tokens in again (I2), and their writes are applied after newer ones (I1).
    /// </summary>
    private static bool Caught(IReadOnlyList<HistoryViolation> violations) =>
        violations.Any(v => v.Rule == "I1") && violations.Any(v => v.Rule == "I2");
}
