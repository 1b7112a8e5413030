using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Memory;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Tests;

public sealed class FenceTableTests : IAsyncDisposable
{
    public ValueTask DisposeAsync() => _scripted.DisposeAsync();

    private static readonly AdmissionRules Drain = new(Drain: true, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10));
    private static readonly AdmissionRules Seal = new(Drain: false, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10));
    private readonly ManualTimeProvider _time = new();
    private readonly ScriptedStore _scripted = new();

    [Fact]
    public async Task TryAdmit_SteadyToken_AsksTheStoreOnce()
    {
        var (table, fence) = Scripted();
        var first = Admit(table, fence, 33);
        _scripted.Reply(EnterStatus.Admitted);
        (await first).Status.ShouldBe(AdmissionStatus.Admitted);
        for (var i = 0; i < 10; i++)
        {
            fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeTrue();
        }

        _scripted.Requests.Count.ShouldBe(1);
        table.CountActive().ShouldBe((11, 0));
    }

    [Fact]
    public async Task AdmitAsync_OlderWriteInFlight_SealsDrainsThenAdmits()
    {
        var (table, fence) = Memory();
        (await Admit(table, fence, 33)).Status.ShouldBe(AdmissionStatus.Admitted);
        var newer = Admit(table, fence, 34);
        newer.IsCompleted.ShouldBeFalse();
        fence.TryAdmit(new(33), isWrite: true, out var stale).ShouldBeTrue();
        stale.Status.ShouldBe(AdmissionStatus.Stale);
        fence.End(new(33));
        (await newer).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task AdmitAsync_OlderWriteNeverEnds_GivesUpAndTheMarkStaysRaised()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33);
        var newer = Admit(table, fence, 34);
        _time.Advance(TimeSpan.FromSeconds(5));
        (await newer).Status.ShouldBe(AdmissionStatus.Draining);
        fence.Mark.ShouldBe(34);
        (await Admit(table, fence, 33)).Status.ShouldBe(AdmissionStatus.Stale);
    }

    [Fact]
    public async Task AdmitAsync_OlderWriteInDoubt_WaitsForTheHoldAndSaysHowLong()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33);
        fence.EndInDoubt(new(33), TimeSpan.FromSeconds(10), _time);
        var first = Admit(table, fence, 34);
        _time.Advance(TimeSpan.FromSeconds(5));
        var refused = await first;
        refused.Status.ShouldBe(AdmissionStatus.Draining);
        refused.RetryAfter.ShouldBe(TimeSpan.FromSeconds(5));
        var second = Admit(table, fence, 34);
        second.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(5));
        (await second).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task AdmitAsync_SameHolderInDoubt_GoesOn()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33);
        fence.EndInDoubt(new(33), TimeSpan.FromSeconds(10), _time);
        (await Admit(table, fence, 33)).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task Resolve_InDoubt_LetsTheWaiterGo()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33);
        fence.EndInDoubt(new(33), TimeSpan.FromSeconds(10), _time);
        var newer = Admit(table, fence, 34);
        var (here, inStore) = await table.ResolveAsync(fence.Resource, default);
        (here, inStore).ShouldBe((1, 0));
        (await newer).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task AdmitAsync_BarrierSeal_DoesNotWaitAndStillRefusesOlder()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33, rules: Seal);
        (await Admit(table, fence, 34, rules: Seal)).Status.ShouldBe(AdmissionStatus.Admitted);
        (await Admit(table, fence, 33, rules: Seal)).Status.ShouldBe(AdmissionStatus.Stale);
        table.CountActive().InFlight.ShouldBe(2);
    }

    [Fact]
    public async Task ListActive_InFlightOrInDoubt_IsListedUntilItIsOver()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33, isWrite: false);
        table.ListActive().ShouldBeEmpty();
        await Admit(table, fence, 33);
        table.ListActive().ShouldBe([fence.Resource]);
        fence.EndInDoubt(new(33), TimeSpan.FromSeconds(10), _time);
        table.ListActive().ShouldBe([fence.Resource]);
        _time.Advance(TimeSpan.FromSeconds(10));
        table.ListActive().ShouldBeEmpty();
    }

    [Fact]
    public async Task AdmitAsync_Read_DrainsButIsNotInFlight()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33);
        var read = Admit(table, fence, 34, isWrite: false);
        read.IsCompleted.ShouldBeFalse();
        fence.End(new(33));
        (await read).Status.ShouldBe(AdmissionStatus.Admitted);
        table.CountActive().InFlight.ShouldBe(0);
    }

    [Fact]
    public async Task AdmitAsync_ReplyLost_NeverGoesBackToTheOlderToken()
    {
        var (table, fence) = Scripted();
        var first = Admit(table, fence, 33);
        _scripted.Reply(EnterStatus.Admitted);
        await first;
        fence.End(new(33));
        var newer = Admit(table, fence, 34);
        _scripted.Fail();
        (await newer).Status.ShouldBe(AdmissionStatus.Unavailable);

        // 33 was steady before; now only the store can say, and it is asked about 34.
        fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeFalse();
        var older = Admit(table, fence, 33);
        _scripted.Requests[^1].Token.ShouldBe(new FencingToken(34));
        _scripted.Reply(EnterStatus.Admitted);
        (await older).Status.ShouldBe(AdmissionStatus.Stale);
        fence.Mark.ShouldBe(34);
    }

    [Fact]
    public async Task AdmitAsync_HigherMarkElsewhere_IsStaleWithThatMark()
    {
        var (table, fence) = Scripted();
        var late = Admit(table, fence, 33);
        _scripted.Reply(EnterStatus.Stale, mark: 40);
        (await late).Status.ShouldBe(AdmissionStatus.Stale);
        fence.Mark.ShouldBe(40);
    }

    [Fact]
    public async Task AdmitAsync_ManyAtOnce_ShareOneStoreOperation()
    {
        var (table, fence) = Scripted();
        var all = Enumerable.Range(0, 20).Select(_ => Admit(table, fence, 33)).ToArray();
        _scripted.Requests.Count.ShouldBe(1);
        _scripted.Reply(EnterStatus.Admitted);
        (await Task.WhenAll(all)).ShouldAllBe(a => a.Status == AdmissionStatus.Admitted);
        _scripted.Requests.Count.ShouldBe(1);
        _scripted.MostAtOnce.ShouldBe(1);
    }

    [Fact]
    public async Task AdmitAsync_DrainTimeoutZero_WaitsForTheStoreButNotForOlderWrites()
    {
        var (table, fence) = Scripted();
        var impatient = Drain with { DrainTimeout = TimeSpan.Zero };
        var first = Admit(table, fence, 33, rules: impatient);
        _scripted.Reply(EnterStatus.Admitted);
        (await first).Status.ShouldBe(AdmissionStatus.Admitted);
        var second = Admit(table, fence, 34, rules: impatient);
        _scripted.Reply(EnterStatus.Draining);
        (await second).Status.ShouldBe(AdmissionStatus.Draining);
    }

    [Fact]
    public async Task AdmitAsync_StoreSilent_GivesUpAsUnavailable()
    {
        var (table, fence) = Scripted();
        var waiting = Admit(table, fence, 33);
        _time.Advance(TimeSpan.FromSeconds(5));
        var refused = await waiting;
        refused.Status.ShouldBe(AdmissionStatus.Unavailable);
        refused.Fault.ShouldNotBeNullOrEmpty();
        table.CountActive().InFlight.ShouldBe(0);
    }

    [Fact]
    public async Task AdmitAsync_Cancelled_LeavesNothingInFlight()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33);
        using var gone = new CancellationTokenSource();
        var waiting = table.AdmitAsync(fence, new(34), isWrite: true, Drain, gone.Token).AsTask();
        await gone.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => waiting);
        fence.End(new(33));
        table.CountActive().ShouldBe((0, 0));
    }

    [Fact]
    public async Task AdmitAsync_TokenTurnsStaleWhileItWaits_IsRefused()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33);
        var second = Admit(table, fence, 34);
        var third = Admit(table, fence, 35);
        fence.End(new(33));
        (await third).Status.ShouldBe(AdmissionStatus.Admitted);
        (await second).Status.ShouldBe(AdmissionStatus.Stale);
    }

    [Fact]
    public async Task SetMarkAsync_WhileAnythingIsActive_IsRefused()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33);
        (await SetMark(table, fence, 5)).ShouldBe(OperatorStatus.Busy);
        fence.EndInDoubt(new(33), TimeSpan.FromSeconds(10), _time);
        (await SetMark(table, fence, 5)).ShouldBe(OperatorStatus.Busy);
        _time.Advance(TimeSpan.FromSeconds(10));
        (await SetMark(table, fence, 5)).ShouldBe(OperatorStatus.Done);
        (await Admit(table, fence, 6)).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task AdvanceAsync_AfterASuccess_RaisesTheMarkThatAdmissionDidNot()
    {
        var (table, fence) = Memory();
        var rules = Drain with { AdvanceOnSuccess = true };
        (await Admit(table, fence, 34, rules: rules)).Status.ShouldBe(AdmissionStatus.Admitted);
        fence.Mark.ShouldBe(0);
        (await Admit(table, fence, 33, rules: rules)).Status.ShouldBe(AdmissionStatus.Admitted);
        (await table.AdvanceAsync(fence, new(34), rules, default)).ShouldBeNull();
        (await Admit(table, fence, 33, rules: rules)).Status.ShouldBe(AdmissionStatus.Stale);
    }

    [Fact]
    public async Task Get_BeyondCapacity_EvictsIdleFencesAndKeepsActiveOnes()
    {
        var table = new FenceTable(Memory(_time), _time, capacity: 16);
        var active = table.Get("active");
        await Admit(table, active, 33);
        for (var i = 0; i < 1000; i++)
        {
            await Admit(table, table.Get($"idle/{i}"), 1, isWrite: false);
        }

        table.Count.ShouldBeLessThan(32);
        table.Get("active").ShouldBeSameAs(active);
        table.Get("idle/0").Mark.ShouldBe(1);
    }

    [Fact]
    public async Task Get_FenceWithAnUnconfirmedSeal_IsNeverEvicted()
    {
        var table = new FenceTable(TestSession.Open(_scripted, _time), _time, capacity: 1);
        var fence = table.Get("sealed");
        var lost = Admit(table, fence, 34);
        _scripted.Fail();
        await lost;
        Should.Throw<TokenStoreUnavailableException>(() =>
        {
            for (var i = 0; i < 100; i++)
            {
                var other = table.Get($"other/{i}");
                _ = Admit(table, other, 1);
                _scripted.Fail();
            }
        });
        table.Get("sealed").ShouldBeSameAs(fence);
    }

    [Fact]
    public async Task Get_StoreRefusedManyNewResources_GoesOnWithOthersAfterwards()
    {
        var table = new FenceTable(TestSession.Open(_scripted, _time), _time, capacity: 4);
        for (var i = 0; i < 100; i++)
        {
            var refused = Admit(table, table.Get($"new/{i}"), 1);
            _scripted.Refuse();
            (await refused).Status.ShouldBe(AdmissionStatus.Unavailable);
        }

        var healed = Admit(table, table.Get("known"), 1);
        _scripted.Reply(EnterStatus.Admitted);
        (await healed).Status.ShouldBe(AdmissionStatus.Admitted);
    }

    [Fact]
    public async Task Get_WaitersThatGaveUp_DoNotPinTheirFences()
    {
        var table = new FenceTable(Memory(_time), _time, capacity: 4);
        for (var i = 0; i < 100; i++)
        {
            var fence = table.Get($"orders/{i}");
            await Admit(table, fence, 33);
            fence.EndInDoubt(new(33), TimeSpan.FromSeconds(10), _time);
            var newer = Admit(table, fence, 34);
            _time.Advance(TimeSpan.FromSeconds(5));
            (await newer).Status.ShouldBe(AdmissionStatus.Draining);
            _time.Advance(TimeSpan.FromSeconds(5));
        }

        table.Count.ShouldBeLessThan(8);
    }

    [Fact]
    public async Task Close_SteadyHolder_IsRefusedAndWhatIsInFlightIsCounted()
    {
        var (table, fence) = Memory();
        await Admit(table, fence, 33);
        table.Close();
        fence.TryAdmit(new(33), isWrite: true, out _).ShouldBeFalse();
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => Admit(table, fence, 33));
        Should.Throw<TokenStoreUnavailableException>(() => table.Get("another"));
        table.CountActive().ShouldBe((1, 0));
        fence.End(new(33));
        table.CountActive().ShouldBe((0, 0));
    }

    [Fact]
    public async Task AdmitAsync_FenceEvictedMeanwhile_IsLookedUpAgain()
    {
        var table = new FenceTable(Memory(_time), _time, capacity: 1);
        var evicted = table.Get("a");
        for (var i = 0; i < 50; i++)
        {
            table.Get($"b/{i}");
        }

        var admission = await Admit(table, evicted, 33);
        admission.Status.ShouldBe(AdmissionStatus.Admitted);
        admission.Fence.ShouldNotBeSameAs(evicted);
        admission.Fence.End(new(33));
        table.CountActive().ShouldBe((0, 0));
    }

    /// <summary>
    /// Many holders at once: no write overlaps one with another token, and admitted tokens never decrease.
    /// </summary>
    [Fact]
    public async Task AdmitAsync_ConcurrentHolders_NeverOverlapAndNeverGoBack()
    {
        var table = new FenceTable(
            Memory(TimeProvider.System), TimeProvider.System, capacity: 4);
        var gate = new Lock();
        var active = new Dictionary<long, int>();
        var (highest, admitted) = (0L, 0);
        var violations = new List<string>();

        async Task HoldAsync(int seed)
        {
            var random = new Random(seed);
            for (var i = 0; i < 500; i++)
            {
                var token = new FencingToken(i / 3 + random.Next(1, 4));
                var fence = table.Get("hot");
                if (!fence.TryAdmit(token, isWrite: true, out var admission))
                {
                    admission = await table.AdmitAsync(fence, token, isWrite: true, Drain, default);
                }

                if (admission.Status != AdmissionStatus.Admitted)
                {
                    continue;
                }

                lock (gate)
                {
                    admitted++;
                    if (token.Value < highest || active.Any(a => a.Key != token.Value && a.Value > 0))
                    {
                        violations.Add($"{token} beside {string.Join(",", active)} after {highest}");
                    }

                    highest = Math.Max(highest, token.Value);
                    active[token.Value] = active.GetValueOrDefault(token.Value) + 1;
                }

                await Task.Yield();
                lock (gate)
                {
                    active[token.Value]--;
                }

                admission.Fence.End(token);
            }
        }

        var seed = new RandomSeed().Value;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(() => HoldAsync(seed + n))));
        violations.ShouldBeEmpty($"seed {seed}");
        admitted.ShouldBeGreaterThan(100);
        table.CountActive().ShouldBe((0, 0));
    }

    [Fact]
    public async Task MarkRaised_AfterARiseOnly_NamesTheFenceAndFindsItUnlocked()
    {
        var (table, fence) = Memory();
        List<long> raised = [];
        table.MarkRaised += f =>
        {
            f.ShouldBeSameAs(fence);
            f.Gate.IsHeldByCurrentThread.ShouldBeFalse();
            raised.Add(f.Mark);
        };

        await Admit(table, fence, 33, isWrite: false);
        await Admit(table, fence, 33, isWrite: false);
        await Admit(table, fence, 32, isWrite: false);
        await Admit(table, fence, 34, isWrite: false);
        await SetMark(table, fence, 40);
        await SetMark(table, fence, 30);

        raised.ShouldBe([33, 34, 40]);
    }

    [Fact]
    public async Task MarkRaised_ReplyThatTellsOfAHigherMark_IsRaisedAndALostReplyIsNot()
    {
        var (table, fence) = Scripted();
        List<long> raised = [];
        table.MarkRaised += f => raised.Add(f.Mark);
        var lost = Admit(table, fence, 33);
        _scripted.Fail();
        (await lost).Status.ShouldBe(AdmissionStatus.Unavailable);
        raised.ShouldBeEmpty();

        var stale = Admit(table, fence, 34);
        _scripted.Reply(EnterStatus.Stale, mark: 50);
        (await stale).Status.ShouldBe(AdmissionStatus.Stale);
        raised.ShouldBe([50]);
    }

    private static Task<Admission> Admit(
        FenceTable table, ResourceFence fence, long token, bool isWrite = true, AdmissionRules? rules = null) =>
        table.AdmitAsync(fence, new FencingToken(token), isWrite, rules ?? Drain, CancellationToken.None).AsTask();

    private static Task<OperatorStatus> SetMark(FenceTable table, ResourceFence fence, long mark) =>
        table.SetMarkAsync(fence.Resource, mark, TimeSpan.FromSeconds(10), "a test", "tests", CancellationToken.None)
            .AsTask();

    private static StoreClient Memory(TimeProvider time) =>
        TestSession.Open(new MemoryTokenStore(time, NullLogger<MemoryTokenStore>.Instance), time);

    private (FenceTable Table, ResourceFence Fence) Memory()
    {
        var table = new FenceTable(Memory(_time), _time, capacity: 16);
        return (table, table.Get("orders/1"));
    }

    private (FenceTable Table, ResourceFence Fence) Scripted()
    {
        var table = new FenceTable(TestSession.Open(_scripted, _time), _time, capacity: 16);
        return (table, table.Get("orders/1"));
    }
}
