using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Tests.Resilience.Bulkheads;

public sealed class BulkheadTests
{
    private static readonly TimeSpan QueueTimeout = TimeSpan.FromSeconds(1);
    private readonly ManualTimeProvider _time = new();
    private readonly FencesForTests _fences;
    private readonly ResourceFence _fence;

    public BulkheadTests()
    {
        _fences = new FencesForTests(_time);
        _fence = _fences.Of("orders/1");
    }

    [Fact]
    public async Task TryEnter_UpToTheLimit_TakesPlacesAndThenDoesNotWait()
    {
        var bulkhead = New(limit: 2, queue: 0);

        bulkhead.TryEnter().ShouldBeTrue();
        (await EnterAsync(bulkhead)).ShouldBe(PlaceStatus.Taken);
        bulkhead.TryEnter().ShouldBeFalse();
        (await EnterAsync(bulkhead)).ShouldBe(PlaceStatus.Full);

        bulkhead.InUse.ShouldBe(2);
        bulkhead.Exit();
        bulkhead.TryEnter().ShouldBeTrue();
    }

    [Fact]
    public async Task Exit_SomebodyWaits_GivesThePlaceToTheFirstAndTryEnterOvertakesNobody()
    {
        var bulkhead = Taken(queue: 2);
        var first = EnterAsync(bulkhead);
        var second = EnterAsync(bulkhead);
        (await EnterAsync(bulkhead)).ShouldBe(PlaceStatus.Full);

        bulkhead.Exit();

        bulkhead.TryEnter().ShouldBeFalse();
        (await Limited(first)).ShouldBe(PlaceStatus.Taken);
        second.IsCompleted.ShouldBeFalse();
        (bulkhead.InUse, bulkhead.Waiting).ShouldBe((1, 1));
    }

    [Fact]
    public async Task EnterAsync_QueueTimeoutPasses_LeavesTheLine()
    {
        var bulkhead = Taken(queue: 2);
        var waiting = EnterAsync(bulkhead);

        _time.Advance(QueueTimeout);

        (await Limited(waiting)).ShouldBe(PlaceStatus.TimedOut);
        bulkhead.Waiting.ShouldBe(0);
        bulkhead.Exit();
        bulkhead.InUse.ShouldBe(0);
    }

    [Fact]
    public async Task EnterAsync_CancelledWhileItWaits_LeavesTheLineWithoutAPlace()
    {
        var bulkhead = Taken(queue: 2);
        using var client = new CancellationTokenSource();
        var waiting = EnterAsync(bulkhead, cancellationToken: client.Token);

        await client.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(Limited(waiting));
        bulkhead.Waiting.ShouldBe(0);
        bulkhead.Exit();
        bulkhead.InUse.ShouldBe(0);
    }

    [Fact]
    public async Task Exit_ANewerHolderWaitsFurtherBack_TakesTheTurnOfTheOlderOne()
    {
        var bulkhead = Taken(queue: 4);
        var older = EnterAsync(bulkhead, _fence, 33);
        var unrelated = EnterAsync(bulkhead);
        var newer = EnterAsync(bulkhead, _fence, 34);
        var other = EnterAsync(bulkhead, _fences.Of("orders/2"), 99);

        bulkhead.Exit();
        (await Limited(newer)).ShouldBe(PlaceStatus.Taken);
        bulkhead.Exit();
        (await Limited(older)).ShouldBe(PlaceStatus.Taken);
        bulkhead.Exit();
        (await Limited(unrelated)).ShouldBe(PlaceStatus.Taken);
        other.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task EnterAsync_LineIsFull_NewerHolderPushesTheOldestOfItsResourceOut()
    {
        var bulkhead = Taken(queue: 3);
        var first = EnterAsync(bulkhead, _fence, 33);
        var oldest = EnterAsync(bulkhead, _fence, 32);
        var unrelated = EnterAsync(bulkhead);

        var newer = EnterAsync(bulkhead, _fence, 34);
        (await EnterAsync(bulkhead, _fences.Of("orders/2"), 99)).ShouldBe(
            PlaceStatus.Full, "no older one of its own resource waits");
        (await EnterAsync(bulkhead, _fence, 33)).ShouldBe(PlaceStatus.Full, "those that wait are not older");

        (await Limited(oldest)).ShouldBe(PlaceStatus.Full);
        bulkhead.Exit();
        (await Limited(newer)).ShouldBe(PlaceStatus.Taken);
        bulkhead.Exit();
        (await Limited(first)).ShouldBe(PlaceStatus.Taken);
        unrelated.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task MarkRises_WhileOlderOnesWait_TheyLeaveAtOnceAndNobodyElseDoes()
    {
        var bulkhead = Taken(queue: 8);
        var older = EnterAsync(bulkhead, _fence, 33);
        var current = EnterAsync(bulkhead, _fence, 34);
        var other = EnterAsync(bulkhead, _fences.Of("orders/2"), 33);

        await _fences.RaiseAsync(_fence, 34);

        (await Limited(older)).ShouldBe(PlaceStatus.Stale);
        bulkhead.Waiting.ShouldBe(2);
        (current.IsCompleted || other.IsCompleted).ShouldBeFalse();
        (await EnterAsync(bulkhead, _fence, 33)).ShouldBe(PlaceStatus.Stale);
    }

    [Fact]
    public async Task EnterAsync_StaleAndAPlaceIsFree_TakesNone()
    {
        var bulkhead = New(limit: 1, queue: 1);
        await _fences.RaiseAsync(_fence, 34);

        (await EnterAsync(bulkhead, _fence, 33)).ShouldBe(PlaceStatus.Stale);

        bulkhead.InUse.ShouldBe(0);
    }

    [Fact]
    public async Task Apply_OtherLimits_KeepsWhatIsInUseAndWhoWaits()
    {
        var bulkhead = New(limit: 2, queue: 2);
        bulkhead.TryEnter();
        bulkhead.TryEnter();
        var first = EnterAsync(bulkhead);
        var second = EnterAsync(bulkhead);

        bulkhead.Apply(Policy(1, 2));
        bulkhead.Exit();
        first.IsCompleted.ShouldBeFalse("one of one place is in use");
        bulkhead.Apply(Policy(3, 2));

        (await Limited(first)).ShouldBe(PlaceStatus.Taken);
        (await Limited(second)).ShouldBe(PlaceStatus.Taken);
        (bulkhead.InUse, bulkhead.Limit).ShouldBe((3, 3));
    }

    [Fact]
    public async Task Sample_TheAdaptiveLimitGrows_LetsThoseThatWaitIn()
    {
        var bulkhead = new Bulkhead(Name, Policy(4, 8) with { Adaptive = new(2, 100) }, _fences.Waiters, _time);
        for (var i = 0; i < 4; i++)
        {
            bulkhead.TryEnter();
        }

        var waiting = EnterAsync(bulkhead);
        for (var i = 0; i < 1_000 && bulkhead.Limit <= 4; i++)
        {
            bulkhead.Sample(TimeSpan.FromMilliseconds(20), dropped: false);
        }

        (await Limited(waiting)).ShouldBe(PlaceStatus.Taken);
        var learnt = bulkhead.Limit;
        bulkhead.Apply(Policy(4, 16) with { Adaptive = new(2, 100) });
        bulkhead.Limit.ShouldBe(
            learnt, "a reload that leaves the adaptive limit as it was does not make it learn again");
    }

    /// <summary>
    /// Every kind of end races with every other; what the callers hold is never more than there is, and nothing is
    /// lost.
    /// </summary>
    [Fact]
    public async Task EnterAsync_ManyAtOnceThatTimeOutLeaveAndTurnStale_NeverMoreThanTheLimitAndNoPlaceIsLost()
    {
        const int Limit = 3;
        var fences = new FencesForTests(TimeProvider.System);
        var bulkhead = new Bulkhead(
            Name, new BulkheadPolicy(Limit, 4, TimeSpan.FromMilliseconds(1), null, null), fences.Waiters,
            TimeProvider.System);
        var fence = fences.Of("orders/1");
        var (held, most, mark) = (0, 0, 1L);
        var ends = new int[5];

        async Task CallAsync(Random random)
        {
            for (var i = 0; i < 4_000; i++)
            {
                using var client = new CancellationTokenSource();
                var (token, leave) = (
                    random.Next(4) == 0 ? 0 : Volatile.Read(ref mark) + random.Next(3) - 1, random.Next(4) == 0);
                if (random.Next(200) == 0)
                {
                    await fences.RaiseAsync(fence, Interlocked.Increment(ref mark));
                }

                var entering = bulkhead.EnterAsync(token <= 0 ? null : fence, Math.Max(0, token), client.Token)
                    .AsTask();
                if (leave)
                {
                    await Task.Yield();
                    await client.CancelAsync();
                }

                var status = await entering.ContinueWith(
                    t => t.IsCanceled ? (PlaceStatus?)null : t.GetAwaiter().GetResult(), TaskScheduler.Default);
                Interlocked.Increment(ref ends[status is { } s ? (int)s : 4]);
                if (status == PlaceStatus.Taken)
                {
                    var now = Interlocked.Increment(ref held);
                    InterlockedMax(ref most, now);
                    await Task.Yield();
                    Interlocked.Decrement(ref held);
                    bulkhead.Exit();
                }
            }
        }

        var seed = new RandomSeed().Value;
        await Task.WhenAll(Enumerable.Range(0, 12).Select(n => Task.Run(() => CallAsync(new Random(seed + n)))));

        most.ShouldBeLessThanOrEqualTo(Limit);
        (bulkhead.InUse, bulkhead.Waiting).ShouldBe((0, 0));
        // Which of the others happen depends on the machine; each has a test of its own.
        ends[(int)PlaceStatus.Taken].ShouldBeGreaterThan(0, $"seed {seed}: {string.Join(' ', ends)}");
        ends.Sum().ShouldBe(12 * 4_000);
    }

    private static BulkheadName Name => new(BulkheadScope.Route, "orders");

    private static BulkheadPolicy Policy(int limit, int queue) => new(limit, queue, QueueTimeout, null, null);

    private static Task<PlaceStatus> EnterAsync(
        Bulkhead bulkhead, ResourceFence? fence = null, long token = 0,
        CancellationToken cancellationToken = default) =>
        bulkhead.EnterAsync(fence, token, cancellationToken).AsTask();

    private static Task<PlaceStatus> Limited(Task<PlaceStatus> waiting) => waiting.WithinLimit("the wait to end");

    private static void InterlockedMax(ref int most, int now)
    {
        for (var seen = Volatile.Read(ref most); seen < now; seen = Volatile.Read(ref most))
        {
            Interlocked.CompareExchange(ref most, now, seen);
        }
    }

    private Bulkhead New(int limit, int queue) => new(Name, Policy(limit, queue), _fences.Waiters, _time);

    private Bulkhead Taken(int queue)
    {
        var bulkhead = New(limit: 1, queue);
        bulkhead.TryEnter().ShouldBeTrue();
        return bulkhead;
    }
}
