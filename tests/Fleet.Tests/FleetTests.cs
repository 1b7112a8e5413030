using System.Globalization;
using FenceGateway.Fleet.Tests.World;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests;

/// <summary>
/// A fleet on real servers of one store, judged from outside: by what arrived at the service and what clients were
/// told. Every shared store inherits all of it; faults that only one store has are added there.
/// </summary>
public abstract class FleetTests
{
    /// <summary>Of each fault, at each store; for a night, more of them.</summary>
    private static readonly int Rounds =
        int.Parse(Environment.GetEnvironmentVariable("FENCEGATEWAY_FLEET_ROUNDS") ?? "2", CultureInfo.InvariantCulture);

    private const int Takeovers = 100;

    /// <summary>The step that seals, the withdrawal, the step that is admitted.</summary>
    private const int TakeoverCalls = 3;

    private readonly FleetFixture _fleet;
    private readonly ITestOutputHelper _output;

    private protected FleetTests(FleetFixture fleet, ITestOutputHelper output)
    {
        _fleet = fleet;
        _output = output;
    }

    [Fact]
    public Task Fleet_NoFault_NothingIsLostAndNobodyIsRefusedWithoutCause() => RunAsync(FleetFaults.NoneAsync);

    [Fact]
    public Task Fleet_GatewayKilled_NothingIsForgotten() => RunAsync(FleetFaults.KillGatewayAsync);

    [Fact]
    public Task Fleet_GatewayPausedBeyondItsSession_NothingOldGetsThrough() => RunAsync(FleetFaults.PauseGatewayAsync);

    [Fact]
    public Task Fleet_StoreKilled_NothingIsForgotten() => RunAsync(FleetFaults.KillStoreAsync);

    [Fact]
    public Task Fleet_StorePaused_NothingIsAdmittedAndEverythingHeals() => RunAsync(FleetFaults.PauseStoreAsync);

    [Fact]
    public Task Fleet_GatewayCutOffFromTheStore_OthersTakeOver() => RunAsync(FleetFaults.CutOffGatewayAsync);

    /// <summary>
    /// By cause, since a machine that is slow makes gateways ask again where they wait, and send heartbeats meanwhile.
    /// </summary>
    [RealTimeFact]
    public async Task Takeover_FromOneGatewayToTheOther_TakesNoMoreStoreCallsThanItHasTo()
    {
        var store = await _fleet.StoreAsync();
        await using var fleet = await QuietFleet.StartAsync(store);
        await fleet.PutAsync(0, 0, 1);
        await fleet.PutAsync(1, 0, 2);
        var before = await StoreCalls.CountAsync(fleet.Gateways);

        for (var token = 3; token < 3 + Takeovers; token++)
        {
            await fleet.PutAsync(token, 0, token);
        }

        var calls = await StoreCalls.CountAsync(fleet.Gateways) - before;
        _output.WriteLine($"{store.Provider}, {Takeovers} takeovers: {calls}");

        // The answer of a heartbeat may be older than a withdrawal: then there is one more, at most.
        calls.Caused.ShouldBeLessThanOrEqualTo((TakeoverCalls * Takeovers) + calls.Heartbeats);
        calls.Notices.ShouldBeGreaterThanOrEqualTo(
            Takeovers, "whoever waits is told, and does not have to ask again each time");
        fleet.Check();
    }

    private protected async Task RunAsync(Func<FleetWorld, Random, Task> fault)
    {
        var seed = new RandomSeed();
        try
        {
            await seed.RunAsync(async random =>
            {
                var world = await _fleet.WorldAsync(random);
                await world.RunAsync(random, Rounds, r => fault(world, r));
                FleetReport.Check(world, seed, _output);
            });
        }
        catch
        {
            await _fleet.DropAsync();
            throw;
        }
    }
}
