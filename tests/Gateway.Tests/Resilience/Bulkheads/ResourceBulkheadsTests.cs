using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Tests.Resilience.Bulkheads;

public sealed class ResourceBulkheadsTests
{
    private static readonly TimeSpan QueueTimeout = TimeSpan.FromSeconds(1);
    private readonly ManualTimeProvider _time = new();
    private readonly FencesForTests _fences;

    public ResourceBulkheadsTests() => _fences = new FencesForTests(_time);

    [Fact]
    public void TryEnter_OneResourceIsFull_AnotherIsNot()
    {
        var bulkheads = New(limit: 1, queue: 0);

        TryEnter(bulkheads, "orders/1").ShouldNotBeNull();
        TryEnter(bulkheads, "orders/1").ShouldBeNull();
        TryEnter(bulkheads, "orders/2").ShouldNotBeNull();

        bulkheads.CountAll().ShouldBe((2, 0));
    }

    [Fact]
    public async Task EnterAsync_PlacesAreHeldByOlderTokens_TheNewHolderDoesNotWaitForThem()
    {
        var bulkheads = New(limit: 2, queue: 4);
        TryEnter(bulkheads, "orders/1", 33).ShouldNotBeNull();
        TryEnter(bulkheads, "orders/1", 33).ShouldNotBeNull();
        TryEnter(bulkheads, "orders/1", 33).ShouldBeNull();
        TryEnter(bulkheads, "orders/1", 32).ShouldBeNull();
        var (read, _) = EnterAsync(bulkheads, "orders/1", null, 0);

        TryEnter(bulkheads, "orders/1", 34).ShouldNotBeNull();
        var (second, _) = EnterAsync(bulkheads, "orders/1", _fences.Of("orders/1"), 34);
        (await second).ShouldBe(PlaceStatus.Taken);
        TryEnter(bulkheads, "orders/1", 34).ShouldBeNull("its own places are bounded as well");
        TryEnter(bulkheads, "orders/1", 33).ShouldBeNull();
        read.IsCompleted.ShouldBeFalse();
        bulkheads.CountAll().ShouldBe((4, 1));
    }

    [Fact]
    public async Task TryEnter_PlacesAreHeldWithoutAToken_TheyCountForEverybody()
    {
        var bulkheads = New(limit: 2, queue: 4);
        var held = TryEnter(bulkheads, "orders/1").ShouldNotBeNull();
        TryEnter(bulkheads, "orders/1", 33).ShouldNotBeNull();
        TryEnter(bulkheads, "orders/1").ShouldBeNull();

        TryEnter(bulkheads, "orders/1", 34).ShouldNotBeNull("33 drains before it goes on");
        TryEnter(bulkheads, "orders/1", 34).ShouldBeNull("a read and a write with its own token are there");

        var (waiting, _) = EnterAsync(bulkheads, "orders/1", _fences.Of("orders/1"), 34);
        held.Exit(0);
        (await Limited(waiting)).ShouldBe(PlaceStatus.Taken);
    }

    [Fact]
    public async Task Exit_AReadWaitsAtTheHeadForOlderWritesToEnd_TheNewHolderBehindItGoes()
    {
        var bulkheads = New(limit: 1, queue: 4);
        var fence = _fences.Of("orders/1");
        var old = TryEnter(bulkheads, "orders/1", 33).ShouldNotBeNull();
        var current = TryEnter(bulkheads, "orders/1", 34).ShouldNotBeNull();
        var (read, _) = EnterAsync(bulkheads, "orders/1", null, 0);
        var (older, _) = EnterAsync(bulkheads, "orders/1", fence, 33);
        var (next, _) = EnterAsync(bulkheads, "orders/1", fence, 34);

        current.Exit(34);

        (await Limited(next)).ShouldBe(PlaceStatus.Taken);
        (read.IsCompleted || older.IsCompleted).ShouldBeFalse();
        current.Exit(34);
        old.Exit(33);
        (await Limited(read)).ShouldBe(PlaceStatus.Taken);
        older.IsCompleted.ShouldBeFalse();
        current.Exit(0);
        (await Limited(older)).ShouldBe(PlaceStatus.Taken);
    }

    [Fact]
    public async Task MarkRises_OlderOnesWait_TheyLeaveAtOnce()
    {
        var bulkheads = New(limit: 1, queue: 4);
        var fence = _fences.Of("orders/1");
        TryEnter(bulkheads, "orders/1", 33);
        var (older, _) = EnterAsync(bulkheads, "orders/1", fence, 33);
        var (other, _) = EnterAsync(bulkheads, "orders/2", _fences.Of("orders/2"), 33);
        (await other).ShouldBe(PlaceStatus.Taken);

        await _fences.RaiseAsync(fence, 34);

        (await Limited(older)).ShouldBe(PlaceStatus.Stale);
        bulkheads.CountAll().ShouldBe((2, 0));
    }

    [Fact]
    public async Task EnterAsync_QueueTimeoutPasses_LeavesTheLine()
    {
        var bulkheads = New(limit: 1, queue: 1);
        TryEnter(bulkheads, "orders/1");
        var (waiting, _) = EnterAsync(bulkheads, "orders/1", null, 0);
        var (refused, _) = EnterAsync(bulkheads, "orders/1", null, 0);
        (await refused).ShouldBe(PlaceStatus.Full);

        _time.Advance(QueueTimeout);

        (await Limited(waiting)).ShouldBe(PlaceStatus.TimedOut);
    }

    [Fact]
    public async Task Apply_MorePlaces_LetsThoseThatWaitIn()
    {
        var bulkheads = New(limit: 1, queue: 1);
        TryEnter(bulkheads, "orders/1");
        var (waiting, _) = EnterAsync(bulkheads, "orders/1", null, 0);

        bulkheads.Apply(new ResourceBulkheadPolicy(2, 1, QueueTimeout));

        (await Limited(waiting)).ShouldBe(PlaceStatus.Taken);
    }

    [Fact]
    public void TryEnter_MoreResourcesThanAreKept_ThrowsOnlyIdleOnesOut()
    {
        var bulkheads = New(limit: 1, queue: 1);
        List<ResourceBulkhead> held = [];
        for (var i = 0; i < 20_000; i++)
        {
            var bulkhead = TryEnter(bulkheads, $"orders/{i}").ShouldNotBeNull();
            if (i % 20 == 0)
            {
                held.Add(bulkhead);
            }
            else
            {
                bulkhead.Exit(0);
            }
        }

        bulkheads.Count.ShouldBeLessThan(10_000);
        bulkheads.CountAll().ShouldBe((1_000, 0));
        TryEnter(bulkheads, "orders/0").ShouldBeNull("it was in use all the time");
        held.ForEach(bulkhead => bulkhead.Exit(0));
        bulkheads.CountAll().ShouldBe((0, 0));
    }

    [Fact]
    public void TryEnter_AKnownResource_DoesNotAllocate()
    {
        var bulkheads = New(limit: 4, queue: 4);
        TryEnter(bulkheads, "orders/1", 33)!.Exit(33);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
        {
            TryEnter(bulkheads, "orders/1", 33)!.Exit(33);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    /// <summary>
    /// Callers of all kinds at a few resources: places with a token and what is newer are never more than there are,
    /// none is lost.
    /// </summary>
    [Fact]
    public async Task EnterAsync_ManyAtOnce_NeverMoreThanTheLimitForATokenAndNoPlaceIsLost()
    {
        const int Limit = 2;
        var fences = new FencesForTests(TimeProvider.System);
        var bulkheads = new ResourceBulkheads(
            "orders", new ResourceBulkheadPolicy(Limit, 4, TimeSpan.FromMilliseconds(1)), fences.Waiters,
            TimeProvider.System);
        var held = new int[2, 6];
        var violations = 0;

        async Task CallAsync(Random random)
        {
            for (var i = 0; i < 4_000; i++)
            {
                var (resource, token) = (random.Next(2), random.Next(6));
                var key = $"orders/{resource}";
                var fence = token == 0 ? null : fences.Of(key);
                var status = await bulkheads.EnterAsync(key, fence, token, out var bulkhead, CancellationToken.None);
                if (status != PlaceStatus.Taken)
                {
                    continue;
                }

                lock (held)
                {
                    held[resource, token]++;

                    // Those with this token count no older ones, all others count them.
                    var newest = held[resource, 5] + held[resource, 0];
                    violations += newest > Limit ? 1 : 0;
                }

                await Task.Yield();
                lock (held)
                {
                    held[resource, token]--;
                }

                bulkhead.Exit(token);
            }
        }

        var seed = new RandomSeed().Value;
        await Task.WhenAll(Enumerable.Range(0, 12).Select(n => Task.Run(() => CallAsync(new Random(seed + n)))));

        violations.ShouldBe(0, $"seed {seed}");
        bulkheads.CountAll().ShouldBe((0, 0));
    }

    private static ResourceBulkhead? TryEnter(ResourceBulkheads bulkheads, string key, long token = 0) =>
        bulkheads.TryEnter(key, key, token, out var entered) ? entered : null;

    private static (Task<PlaceStatus> Waiting, ResourceBulkhead Bulkhead) EnterAsync(
        ResourceBulkheads bulkheads, string key, ResourceFence? fence, long token)
    {
        var waiting = bulkheads.EnterAsync(key, fence, token, out var bulkhead, CancellationToken.None);
        return (waiting.AsTask(), bulkhead);
    }

    private static Task<PlaceStatus> Limited(Task<PlaceStatus> waiting) => waiting.WithinLimit("the wait to end");

    private ResourceBulkheads New(int limit, int queue) =>
        new("orders", new ResourceBulkheadPolicy(limit, queue, QueueTimeout), _fences.Waiters, _time);
}
