using FenceGateway.Gateway.RateLimiting;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.Tests.RateLimiting;

public sealed class RateLimitPartitionsTests
{
    private readonly ManualTimeProvider _clock = new();

    [Fact]
    public void Enter_SameKey_SharesALimitThatOthersDoNot()
    {
        var partitions = Create(limit: 2, max: 10);

        Take(partitions, "a", 3).ShouldBe(2);
        Take(partitions, "b", 3).ShouldBe(2);
        partitions.Count.ShouldBe(2);
    }

    [Fact]
    public void Enter_AtTheBound_AnIdlePartitionMakesPlaceAndAnExhaustedOneStays()
    {
        var partitions = Create(limit: 2, max: 2);
        Take(partitions, "idle", 1).ShouldBe(1);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Take(partitions, "exhausted", 3).ShouldBe(2);

        for (var i = 0; i < 50; i++)
        {
            Take(partitions, $"new{i}", 1).ShouldBe(i < 3 ? 1 : 0);
        }

        Take(partitions, "exhausted", 1).ShouldBe(0);
        partitions.Count.ShouldBe(2);
    }

    [Fact]
    public void Enter_AtTheBound_NewKeysShareOneLimitAndAreNotRefusedForBeingNew()
    {
        var partitions = Create(limit: 2, max: 1);
        Take(partitions, "first", 1).ShouldBe(1);

        Enter(partitions, "second").ShouldBe((true, true));
        Enter(partitions, "third").ShouldBe((true, true));
        Enter(partitions, "fourth").ShouldBe((false, true));
        Enter(partitions, "first").ShouldBe((true, false));
        partitions.ReportsOverflow().ShouldBeTrue();
        partitions.ReportsOverflow().ShouldBeFalse();
    }

    [Fact]
    public void Enter_UsedByARequest_IsNotEvictedThoughAllPermitsAreThere()
    {
        var partitions = Create(limit: 2, max: 1);
        var held = partitions.Enter("held", out _);

        Enter(partitions, "other").Overflow.ShouldBeTrue();
        partitions.Enter("held", out _).ShouldBeSameAs(held);
        held.Exit();
        held.Exit();
        Enter(partitions, "other").Overflow.ShouldBeFalse();
        held.TryEnter().ShouldBeFalse("a request that still has it must look again");
    }

    [Fact]
    public void Enter_AMillionKeys_HoldsNoMoreThanTheBoundAndMemoryStaysFlat()
    {
        const int Max = 1000;
        var partitions = Create(limit: 100, max: Max);
        Attack(partitions, 0, 10_000);
        var before = GC.GetTotalMemory(forceFullCollection: true);

        Attack(partitions, 10_000, 1_000_000);

        partitions.Count.ShouldBe(Max);
        // Other tests allocate beside this one; a million partitions would be 300 MB.
        (GC.GetTotalMemory(forceFullCollection: true) - before).ShouldBeLessThan(100_000_000);
        GC.KeepAlive(partitions);
    }

    [Fact]
    public async Task Enter_ManyThreadsAtTheBound_NoKeyGetsMoreThanItsLimit()
    {
        const int Limit = 3;
        var partitions = Create(Limit, max: 8);
        var admitted = new int[64];

        // The clock stands: nothing comes back, so a key's permits are its limit, and those of the shared partition.
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(() =>
        {
            var random = new Random(worker);
            for (var i = 0; i < 20_000; i++)
            {
                var key = random.Next(admitted.Length);
                var (taken, overflow) = Enter(partitions, $"key{key}");
                if (taken && !overflow)
                {
                    Interlocked.Increment(ref admitted[key]);
                }
            }
        })));

        admitted.ShouldAllBe(n => n <= Limit);
        partitions.Count.ShouldBe(8);
    }

    [Fact]
    public void Enter_WithoutPartitions_IsOneLimitForAll()
    {
        var partitions = new RateLimitPartitions(RateLimitPolicies.Of(("PermitLimit", "2")), _clock);
        var context = new Microsoft.AspNetCore.Http.DefaultHttpContext();

        for (var i = 0; i < 3; i++)
        {
            var partition = partitions.Enter(context, null!, out var overflow);
            overflow.ShouldBeFalse();
            partition.Limiter.AttemptAcquire().IsAcquired.ShouldBe(i < 2);
            partition.Exit();
        }

        partitions.Count.ShouldBe(1);
    }

    [Fact]
    public void Concurrency_InProgress_IsNeverEvicted()
    {
        var policy = RateLimitPolicies.Of(
            ("Type", "Concurrency"), ("PermitLimit", "1"), ("MaxPartitions", "1"), ("PartitionBy:0", "Header:X-Key"));
        var partitions = new RateLimitPartitions(policy, _clock);
        var held = partitions.Enter("held", out _);
        var lease = held.Limiter.AttemptAcquire();
        lease.IsAcquired.ShouldBeTrue();
        held.Read().ShouldBe(new(0, null));

        Enter(partitions, "other").Overflow.ShouldBeTrue();
        lease.Dispose();
        held.Exit();

        Enter(partitions, "other").ShouldBe((true, false));
    }

    private RateLimitPartitions Create(int limit, int max) => new(
        RateLimitPolicies.Of(
            ("Type", "FixedWindow"), ("PermitLimit", limit.ToString()), ("MaxPartitions", max.ToString()),
            ("PartitionBy:0", "Header:X-Key")),
        _clock);

    private void Attack(RateLimitPartitions partitions, int from, int to)
    {
        Span<char> key = stackalloc char[16];
        for (var i = from; i < to; i++)
        {
            i.TryFormat(key, out var length);
            var partition = partitions.Enter(key[..length], out _);
            partition.Limiter.AttemptAcquire();
            partition.Exit();
            _clock.Advance(TimeSpan.FromMicroseconds(100));
        }
    }

    private static int Take(RateLimitPartitions partitions, string key, int times) =>
        Enumerable.Range(0, times).Count(_ => Enter(partitions, key).Taken);

    private static (bool Taken, bool Overflow) Enter(RateLimitPartitions partitions, string key)
    {
        var partition = partitions.Enter(key, out var overflow);
        using var lease = partition.Limiter.AttemptAcquire();
        partition.Exit();
        return (lease.IsAcquired, overflow);
    }
}
