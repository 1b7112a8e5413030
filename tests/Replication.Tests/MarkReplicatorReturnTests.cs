using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Conformance;

namespace FenceGateway.Replication.Tests;

/// <summary>What was taken over once is not taken for granted: marks are lowered, and stores lose data.</summary>
public sealed class MarkReplicatorReturnTests : IAsyncDisposable
{
    private static readonly TimeSpan Sweep = new MarkReplicatorOptions { InDoubtHold = () => default }.SweepInterval;

    private readonly ManualTimeProvider _time = new();
    private readonly RegionScript _region;
    private readonly CancellationTokenSource _stop = new();
    private readonly ReplaceableStore _own;
    private readonly StoreClient _session;
    private readonly FenceTable _fences;
    private readonly Task _running;

    public MarkReplicatorReturnTests()
    {
        _region = new RegionScript { Time = _time };
        _own = new ReplaceableStore(_time);
        _session = TestSession.Open(_own, _time);
        _fences = new FenceTable(_session, _time, 1_000, registrationIdle: TimeSpan.FromSeconds(2));
        _running = new MarkReplicator(
                "eu", _region, _fences, _session,
                new MarkReplicatorOptions { InDoubtHold = () => TimeSpan.FromSeconds(10) },
                _time, new TestLogger<MarkReplicator>(), new ReplicationMetrics(new TestMeters()))
            .RunAsync(_stop.Token);
    }

    [Theory]
    [InlineData(60)]
    [InlineData(100)]
    public async Task RunAsync_TokenGrantedAfterTheMarkWasLoweredInBothRegions_IsTakenOver(long granted)
    {
        _region.Put("a", 100, 1);
        await UntilAsync(() => _own.Mark("a") == 100);
        await PassAsync(TimeSpan.FromSeconds(30));
        await LowerAsync(50);
        _region.Put("a", 50, 2);
        await PassAsync(TimeSpan.FromSeconds(5));
        _own.Mark("a").ShouldBe(50);

        _region.Put("a", granted, 3);

        await UntilAsync(() => _own.Mark("a") == granted, within: TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task RunAsync_MarkLoweredAtAnotherGatewayOfThisRegion_LaterTokenIsTakenOver()
    {
        _region.Put("a", 100, 1);
        await UntilAsync(() => _own.Mark("a") == 100);
        await PassAsync(TimeSpan.FromSeconds(30));
        ResourceKey.TryCreate("a", out var key).ShouldBeTrue();
        while (!await _own.SetMarkAsync(new SetMarkRequest("another", key, 50, default, "test", "test"), default))
        {
            // A registration is being taken back.
            await PassAsync(TimeSpan.FromSeconds(1));
        }

        _region.Put("a", 60, 2);

        await UntilAsync(() => _own.Mark("a") == 60, within: Sweep * 1.5);
    }

    [Fact]
    public async Task RunAsync_MarkLoweredHereOnly_ComesBackWithTheNextSweep()
    {
        _region.Put("a", 100, 1);
        await UntilAsync(() => _own.Mark("a") == 100);
        await PassAsync(TimeSpan.FromSeconds(60));
        await LowerAsync(50);

        await UntilAsync(() => _own.Mark("a") == 100, within: Sweep * 1.5);
    }

    [Fact]
    public async Task RunAsync_OwnStoreLostItsData_GetsBackWhatTheRegionKnowsAtOnce()
    {
        for (var i = 0; i < 300; i++)
        {
            _region.Put($"r/{i}", 7, i + 1);
        }

        await UntilAsync(() => All(7));
        await PassAsync(TimeSpan.FromSeconds(60));

        _own.LoseData();

        await UntilAsync(() => All(7), within: TimeSpan.FromSeconds(30));

        bool All(long mark) => Enumerable.Range(0, 300).All(i => _own.Mark($"r/{i}") == mark);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WithinLimit("replication to stop");
        await _session.DisposeAsync();
        _stop.Dispose();
    }

    private async Task LowerAsync(long mark)
    {
        ResourceKey.TryCreate("a", out var key).ShouldBeTrue();
        while (await _fences.SetMarkAsync(key, mark, TimeSpan.Zero, "test", "test", default) == OperatorStatus.Busy)
        {
            // A registration is being taken back.
            await PassAsync(TimeSpan.FromSeconds(1));
        }
    }

    private async Task PassAsync(TimeSpan time)
    {
        var end = _time.GetTimestamp() + _time.TimestampFrequency * (long)time.TotalSeconds;
        await UntilAsync(() => _time.GetTimestamp() >= end);
    }

    /// <summary>Lets time pass in steps that leave every heartbeat and every round its turn.</summary>
    private async Task UntilAsync(Func<bool> condition, TimeSpan? within = null)
    {
        var begun = _time.GetTimestamp();
        while (!condition())
        {
            _time.GetElapsedTime(begun).ShouldBeLessThan(
                within ?? TimeSpan.FromSeconds(200), "time has passed and it did not happen");
            await TakeTurnsAsync();
            _time.Advance(TimeSpan.FromMilliseconds(500));
        }
    }

    /// <summary>
    /// Waits until the heartbeat and the round that are due have begun: the clock of a test outruns a busy machine.
    /// </summary>
    private async Task TakeTurnsAsync()
    {
        // The look for idle registrations, the session's end, the next heartbeat, the next round.
        await _time.WaitForTimersAsync(4);
        for (var i = 0; i < 1500 && !(HasBeaten() && (HasListed() || i > 100)); i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System);
        }

        // Due each third of the session, in steps of half a second; one that is not alive has none.
        bool HasBeaten() =>
            _session.Current is not { IsAlive: true } || _time.GetElapsedTime(_own.LastBeat) < TimeSpan.FromSeconds(3);

        // A round that has failed pauses for longer, and one that merges waits for the clock as well.
        bool HasListed() => _time.GetElapsedTime(_region.LastList) < TimeSpan.FromSeconds(2.2);
    }
}
