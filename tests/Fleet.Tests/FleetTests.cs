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
