using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.Fleet.Tests.World;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests;

/// <summary>
/// A fleet on real servers of one store, judged from outside: by what arrived at the service and what clients were told. Every
/// shared store inherits all of it; faults that only one store has are added there.
/// </summary>
public abstract class FleetTests : IAsyncLifetime
{
    private const int Rounds = 10;
    private const int Takeovers = 100;

    private readonly ITestOutputHelper _output;

    private protected FleetTests(ITestOutputHelper output, StoreUnderTest store)
    {
        _output = output;
        Store = store;
    }

    private protected StoreUnderTest Store { get; }

    public async ValueTask InitializeAsync() => await Store.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public Task Fleet_NoFault_NothingIsLostAndNobodyIsRefusedWithoutCause() => RunAsync(3, async (world, _) =>
    {
        var from = world.Now;
        await Task.Delay(0.5 * FleetTimes.SessionTtl, TimeProvider.System);
        world.RecordBystanders(from, world.Gateways);
    });

    [Fact]
    public Task Fleet_GatewayKilled_NothingIsForgotten() => RunAsync(3, FleetFaults.KillGatewayAsync);

    [Fact]
    public Task Fleet_GatewayPausedBeyondItsSession_NothingOldGetsThrough() => RunAsync(2, FleetFaults.PauseGatewayAsync);

    [Fact]
    public Task Fleet_StoreKilled_NothingIsForgotten() => RunAsync(2, FleetFaults.KillStoreAsync);

    [Fact]
    public Task Fleet_StorePaused_NothingIsAdmittedAndEverythingHeals() => RunAsync(2, FleetFaults.PauseStoreAsync);

    [Fact]
    public Task Fleet_GatewayCutOffFromTheStore_OthersTakeOver() => RunAsync(2, FleetFaults.CutOffGatewayAsync, proxied: true);

    [Fact]
    public async Task Takeover_FromOneGatewayToTheOther_TakesThreeStoreCalls()
    {
        await using var fleet = await QuietFleet.StartAsync(Store);
        await fleet.PutAsync(0, 0, 1);
        await fleet.PutAsync(1, 0, 2);
        var (before, start) = (await CallCounter.CountAsync(fleet.Gateways), TimeProvider.System.GetTimestamp());

        for (var token = 3; token < 3 + Takeovers; token++)
        {
            await fleet.PutAsync(token, 0, token);
        }

        var each = TimeProvider.System.GetElapsedTime(start) / Takeovers;
        var heartbeats = fleet.HeartbeatsSince(start);
        var calls = await CallCounter.CountAsync(fleet.Gateways) - before;
        _output.WriteLine($"{Store.Provider}: {calls} store calls for {Takeovers} takeovers, at most {heartbeats} of them heartbeats; "
            + $"{each.TotalMilliseconds:0.0} ms each");
        calls.ShouldBeLessThanOrEqualTo(3 * Takeovers + heartbeats);
        fleet.Check();
    }

    private protected async Task RunAsync(int gateways, Func<FleetWorld, Random, Task> fault, bool proxied = false)
    {
        var seed = new RandomSeed();
        await seed.RunAsync(async random =>
        {
            await using var world = await FleetWorld.StartAsync(random, Store, gateways, proxied);
            await world.RunAsync(random, Rounds, r => fault(world, r));
            await world.EndAsync();
            FleetReport.Check(world, seed, _output);
        });
    }
}
