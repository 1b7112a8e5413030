using FenceGateway.Fleet.Tests.World;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests;

/// <summary>
/// A fleet on real servers of one store, judged from outside: by what arrived at the service and what clients were told. Every
/// shared store inherits all of it; faults that only one store has are added there.
/// </summary>
public abstract class FleetTests
{
    private const int Rounds = 10;
    private const int Takeovers = 100;

    /// <summary>The step that seals, the withdrawal, the step that is admitted.</summary>
    private const int TakeoverCalls = 3;

    /// <summary>Who still waits then asks again; on a machine that is busy with something else somebody may.</summary>
    private static readonly TimeSpan AsksAgain = TimeSpan.FromMilliseconds(150);

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

    [Fact]
    public async Task Takeover_FromOneGatewayToTheOther_TakesNoMoreStoreCallsThanItHasTo()
    {
        var store = await _fleet.StoreAsync();
        await using var fleet = await QuietFleet.StartAsync(store);
        await fleet.PutAsync(0, 0, 1);
        await fleet.PutAsync(1, 0, 2);
        var (before, start) = (await CallCounter.CountAsync(fleet.Gateways), TimeProvider.System.GetTimestamp());

        var asked = 0;
        for (var token = 3; token < 3 + Takeovers; token++)
        {
            var begun = TimeProvider.System.GetTimestamp();
            await fleet.PutAsync(token, 0, token);
            asked += (int)(TimeProvider.System.GetElapsedTime(begun) / AsksAgain);
        }

        var each = TimeProvider.System.GetElapsedTime(start) / Takeovers;
        var heartbeats = fleet.HeartbeatsSince(start);
        var calls = await CallCounter.CountAsync(fleet.Gateways) - before;
        _output.WriteLine($"{store.Provider}: {calls} store calls for {Takeovers} takeovers, at most {heartbeats} of them heartbeats and "
            + $"{asked} by who waited too long; {each.TotalMilliseconds:0.0} ms each");
        asked.ShouldBeLessThan(Takeovers / 2, "whoever waits is told, and does not have to ask again each time");
        calls.ShouldBeLessThanOrEqualTo(TakeoverCalls * Takeovers + heartbeats + asked);
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
