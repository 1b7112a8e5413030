using System.Diagnostics.Metrics;
using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Memory;

namespace FenceGateway.Replication.Tests;

public sealed class MarkReplicatorTests : IAsyncDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly RegionScript _region = new();
    private readonly TestLogger<MarkReplicator> _logger = new();
    private readonly TestMeters _meters = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly MemoryTokenStore _own;
    private readonly StoreClient _session;
    private readonly FenceTable _fences;
    private readonly MeterListener _listener;
    private Task _running = Task.CompletedTask;
    private double _lag;
    private long _merged;

    public MarkReplicatorTests()
    {
        _listener = Listen();
        _own = new MemoryTokenStore(_time, new TestLogger<MemoryTokenStore>());
        _session = TestSession.Open(_own, _time);
        _fences = new FenceTable(_session, _time, 1_000, registrationIdle: TimeSpan.FromDays(1));
    }

    [Fact]
    public async Task RunAsync_MarksOfAnotherRegion_AreRaisedHere()
    {
        _region.Put("a", 7, 1);
        _region.Put("b", long.MaxValue, 2);
        Start();
        await UntilAsync(() => Mark("a") == 7 && Mark("b") == long.MaxValue);

        _region.Put("a", 9, 3);
        await UntilAsync(() => Mark("a") == 9);
        var stale = await _fences.AdmitAsync(
            _fences.Get("a"), new FencingToken(8), isWrite: true,
            new AdmissionRules(true, TimeSpan.Zero, TimeSpan.Zero), default);
        stale.Status.ShouldBe(AdmissionStatus.Stale);
    }

    [Fact]
    public async Task RunAsync_LowerOrResetMarkElsewhere_ChangesNothingHere()
    {
        await EnterAsync("a", 5);
        _region.Put("a", 4, 1);
        _region.Put("b", 0, 2);
        _region.Put("c", 1, 3);
        Start();
        await UntilAsync(() => Mark("c") == 1);
        Mark("a").ShouldBe(5);
        (await _own.FindAsync(Key("b"), default)).ShouldBeNull();
    }

    [Fact]
    public async Task RunAsync_RegionAway_IsToldOnceAndTakenUpWhenItIsBack()
    {
        _region.Away = new TokenStoreUnavailableException("the cable was cut");
        Start();
        await UntilAsync(() => _logger.Entries.Any(e => e.Id == 2331));
        await StepAsync(20);
        (await EnterAsync("a", 1)).Status.ShouldBe(AdmissionStatus.Admitted);
        _logger.Entries.Count(e => e.Id == 2331).ShouldBe(1);
        _logger.Entries.Single(e => e.Id == 2331).Text.ShouldContain("the cable was cut");

        _region.Put("a", 3, 1);
        _region.Away = null;
        await UntilAsync(() => Mark("a") == 3);
        _logger.Entries.Count(e => e.Id == 2330).ShouldBe(1);
    }

    [Fact]
    public async Task RunAsync_LowerNumberCommitsLater_IsReadAllTheSame()
    {
        _region.Put("a", 1, 1);
        Start();
        await UntilAsync(() => Mark("a") == 1);
        await StepAsync(60);
        _region.Put("c", 1, 1_003);
        await UntilAsync(() => Mark("c") == 1);
        await StepAsync(5);
        _region.Put("b", 1, 1_002);
        await UntilAsync(() => Mark("b") == 1, seconds: 5);
    }

    [Fact]
    public async Task RunAsync_NumberCommitsLaterThanTheOverlap_IsFoundByTheNextSweep()
    {
        _region.Put("a", 1, 1_000);
        Start();
        await UntilAsync(() => Mark("a") == 1);
        await StepAsync(120);
        _region.Put("b", 1, 5);
        await StepAsync(30);
        Mark("b").ShouldBe(0);
        await UntilAsync(() => Mark("b") == 1, seconds: 800);
    }

    [Fact]
    public async Task RunAsync_MoreThanARoundTakes_IsTakenInBoundedPagesAndAllOfIt()
    {
        Start(new MarkReplicatorOptions { InDoubtHold = () => TimeSpan.Zero, PageSize = 10, MaxPages = 2 });
        _region.Put("first", 1, 1);
        await UntilAsync(() => Mark("first") == 1);
        await StepAsync(30);
        for (var i = 0; i < 500; i++)
        {
            _region.Put($"r/{i}", i + 1, 1_000 + i);
        }

        await UntilAsync(() => Enumerable.Range(0, 500).All(i => Mark($"r/{i}") == i + 1));
        _logger.Entries.ShouldContain(e => e.Id == 2333);
        _region.LongestPage.ShouldBeLessThanOrEqualTo(10);
        await UntilAsync(() => Lag() < 5);
    }

    [Fact]
    public async Task RunAsync_ManyMarksAtTheStart_AreAllTaken()
    {
        for (var i = 0; i < 3_000; i++)
        {
            _region.Put($"r/{i}", 7, i + 1);
        }

        Start();
        await UntilAsync(() => Enumerable.Range(0, 3_000).All(i => Mark($"r/{i}") == 7));
        await UntilAsync(() => _logger.Entries.Any(e => e.Id == 2332));
        Interlocked.Read(ref _merged).ShouldBe(3_000);
    }

    [Fact]
    public async Task RunAsync_SeveralMarksWithTheSameNumber_AreAllTaken()
    {
        for (var i = 0; i < 300; i++)
        {
            _region.Put($"r/{i}", 7, 1 + i / 3);
        }

        Start(new MarkReplicatorOptions { InDoubtHold = () => TimeSpan.Zero, PageSize = 10 });
        await UntilAsync(() => Enumerable.Range(0, 300).All(i => Mark($"r/{i}") == 7));
    }

    [Fact]
    public async Task RunAsync_RegionLostItsData_IsToldAndReadAnew()
    {
        _region.Put("a", 5, 1_000);
        Start();
        await UntilAsync(() => Mark("a") == 5);
        await StepAsync(60);
        _region.Clear();
        _region.Put("b", 2, 1);
        await UntilAsync(() => Mark("b") == 2, seconds: 5);
        _logger.Entries.Count(e => e.Id == 2334).ShouldBe(1);
        Mark("a").ShouldBe(5);
    }

    [Fact]
    public async Task RunAsync_NothingNew_CostsOneShortPageARound()
    {
        for (var i = 0; i < 2_000; i++)
        {
            _region.Put($"r/{i}", 7, i + 1);
        }

        Start();
        await UntilAsync(() => Mark("r/0") == 7);
        await StepAsync(120);
        var (before, calls) = (_region.Lists, _session.CallCount);
        await StepAsync(100);
        (_region.Lists - before).ShouldBeInRange(60, 140);
        (_session.CallCount - calls).ShouldBe(0);
        Lag().ShouldBeLessThan(3);
    }

    [Fact]
    public async Task Lag_RegionAway_GrowsUntilItIsBack()
    {
        Start();
        await UntilAsync(() => _region.Lists > 3);
        _region.Away = new TokenStoreUnavailableException("away");
        await StepAsync(100);
        Lag().ShouldBeGreaterThan(95);
        _region.Away = null;
        await UntilAsync(() => Lag() < 3);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WithinLimit("replication to stop");
        await _session.DisposeAsync();
        _listener.Dispose();
        _stop.Dispose();
    }

    private void Start(MarkReplicatorOptions? options = null)
    {
        var replicator = new MarkReplicator(
            "eu", _region, _fences, _session,
            options ?? new MarkReplicatorOptions { InDoubtHold = () => TimeSpan.FromSeconds(10) },
            _time, _logger, new ReplicationMetrics(_meters));
        _running = replicator.RunAsync(_stop.Token);
    }

    private async Task<Admission> EnterAsync(string resource, long token) => await _fences.AdmitAsync(
        _fences.Get(resource), new FencingToken(token), isWrite: false,
        new AdmissionRules(true, TimeSpan.Zero, TimeSpan.Zero), default);

    private long Mark(string resource) => _own.PeekMark(Key(resource));

    /// <summary>Lets so many seconds pass, with a round in each.</summary>
    private async Task StepAsync(int seconds)
    {
        for (var i = 0; i < seconds; i++)
        {
            // The one of idle registrations, and the pause between two rounds.
            await _time.WaitForTimersAsync(2);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>
    /// Lets time pass until it is so, for so many seconds in which the region was asked: the clock of a test outruns a
    /// round that takes its time.
    /// </summary>
    private async Task UntilAsync(Func<bool> condition, int seconds = 200)
    {
        using var end = new CancellationTokenSource(TimeLimit.Default);
        for (var passed = 0; !condition();)
        {
            passed.ShouldBeLessThan(seconds, "time has passed and it did not happen");
            end.IsCancellationRequested.ShouldBeFalse("nothing happens any more");
            var lists = _region.Lists;
            await StepAsync(1);
            passed += _region.Lists > lists || _region.Away is not null ? 1 : 0;
        }
    }

    /// <summary>In seconds; read anew.</summary>
    private double Lag()
    {
        _listener.RecordObservableInstruments();
        return _lag;
    }

    private MeterListener Listen()
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (_meters.Created.Contains(instrument.Meter)
                    && instrument.Name.StartsWith("fencegateway.replication.", StringComparison.Ordinal))
                {
                    l.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>(
            (_, value, tags, _) => _lag = OfThisRegion(tags) ? value : double.NaN);
        listener.SetMeasurementEventCallback<long>(
            (_, value, tags, _) => Interlocked.Add(ref _merged, OfThisRegion(tags) ? value : long.MinValue));
        listener.Start();
        return listener;
    }

    private static bool OfThisRegion(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        tags.Length == 1 && tags[0].Key == "fencegateway.region" && Equals(tags[0].Value, "eu");

    private static ResourceKey Key(string text) =>
        ResourceKey.TryCreate(text, out var key) ? key : throw new ArgumentException("Not a key.", nameof(text));
}
