using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;

namespace FenceGateway.TokenStore.Tests.Fences;

/// <summary>A mark of another store, raised at a gateway of a fleet.</summary>
public sealed class FenceTableMergeTests : IAsyncDisposable
{
    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(10);

    private readonly ManualTimeProvider _time = new();
    private readonly SharedScript _store = new();
    private readonly StoreClient _session;
    private readonly FenceTable _table;
    private readonly ResourceFence _fence;
    private readonly ResourceKey _key;

    public FenceTableMergeTests()
    {
        _session = TestSession.Open(_store, _time);
        _table = new FenceTable(_session, _time, capacity: 16);
        _fence = _table.Get("orders/1");
        _key = _fence.Resource;
    }

    [Fact]
    public async Task MergeAsync_HigherMark_IsRaisedAndTheRegistrationTakenBack()
    {
        var merged = _table.MergeAsync(_key, new FencingToken(7), Hold, default).AsTask();
        await _store.ReplyAsync(EnterStatus.Admitted, 7);
        (await merged).ShouldBeNull();
        _store.Entered.Single().InDoubtHold.ShouldBe(Hold);
        await SharedScript.EventuallyAsync(() => _store.Withdrawn.Count == 1, "the registration is taken back");
        _fence.TryAdmit(new FencingToken(6), isWrite: true, out var stale).ShouldBeTrue();
        stale.Status.ShouldBe(AdmissionStatus.Stale);
    }

    [Fact]
    public async Task MergeAsync_OlderWriteInFlight_SealsAndWaitsForNothing()
    {
        var admitted = _table
            .AdmitAsync(_fence, new FencingToken(5), isWrite: true, new AdmissionRules(true, Hold, Hold), default)
            .AsTask();
        await _store.ReplyAsync(EnterStatus.Admitted, 5);
        (await admitted).Status.ShouldBe(AdmissionStatus.Admitted);

        var merged = _table.MergeAsync(_key, new FencingToken(7), Hold, default).AsTask();
        await _store.ReplyAsync(EnterStatus.Draining, 7);
        (await merged).ShouldBeNull();
        _store.Entered.Last().Oldest.ShouldBe(new FencingToken(5));
        _store.Withdrawn.ShouldBeEmpty("the older write holds newer tokens back until it has ended");
        _fence.TryAdmit(new FencingToken(5), isWrite: true, out var stale).ShouldBeTrue();
        stale.Status.ShouldBe(AdmissionStatus.Stale);
    }

    [Fact]
    public async Task MergeAsync_StoreAway_SaysWhy()
    {
        var merged = _table.MergeAsync(_key, new FencingToken(7), Hold, default).AsTask();
        await _store.FailAsync();
        (await merged).ShouldNotBeNull();
    }

    public async ValueTask DisposeAsync()
    {
        _table.Close();
        await _session.DisposeAsync();
    }
}
