using System.Numerics;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FenceGateway.Gateway.Tests.RateLimiting;

/// <summary>Whenever requests come, no limiter lets more through than its policy allows, and none starves.</summary>
public sealed class RateLimitBoundTests
{
    private const int Segments = 5;

    /// <summary>
    /// A limit, a window of so many ms, and the pauses between requests in µs, from bursts to longer than the window.
    /// </summary>
    private static readonly Arbitrary<(int Limit, int WindowMs, int[] Pauses)> Runs = (
        from limit in Gen.Choose(1, 20)
        from window in Gen.Choose(100, 3000)
        from pauses in Gen.Frequency(
                (6, Gen.Constant(0)), (3, Gen.Choose(1, 1000)), (3, Gen.Choose(1, window * 1000 / limit)),
                (1, Gen.Choose(1, window * 2500)))
            .ArrayOf(300)
        select (limit, window, pauses)).ToArbitrary();

    [Property]
    public Property FixedWindow_AnyTimes_LetsNoMoreThroughThanItsLimitInAWindow() =>
        Prop.ForAll(Runs, run =>
        {
            var admitted = Admit(
                run, clock => new FixedWindowLimiter(clock, run.Limit, TimeSpan.FromMilliseconds(run.WindowMs), 0));
            var (start, taken) = (long.MinValue / 2, 0);
            foreach (var at in admitted)
            {
                (start, taken) = at - start >= run.WindowMs * 1000L ? (at, 1) : (start, taken + 1);
                taken.ShouldBeLessThanOrEqualTo(run.Limit);
            }
        });

    [Property]
    public Property SlidingWindow_AnyTimes_LetsNoMoreThroughThanItsLimitInAllButOneSegments() =>
        Prop.ForAll(Runs, run =>
        {
            var admitted = Admit(
                run,
                clock => new SlidingWindowLimiter(
                    clock, run.Limit, TimeSpan.FromMilliseconds(run.WindowMs), Segments, 0));
            var span = run.WindowMs * 1000L * (Segments - 1) / Segments;
            for (var i = run.Limit; i < admitted.Count; i++)
            {
                (admitted[i] - admitted[i - run.Limit]).ShouldBeGreaterThan(span);
            }
        });

    [Property]
    public Property TokenBucket_AnyTimes_LetsNoMoreThroughThanItsBurstAndWhatFlowedInSince() =>
        Prop.ForAll(Runs, run =>
        {
            var admitted = Admit(
                run, clock => new TokenBucketLimiter(clock, run.Limit, TimeSpan.FromMilliseconds(run.WindowMs), 0));
            for (var i = 0; i < admitted.Count; i++)
            {
                for (var j = i; j < admitted.Count; j++)
                {
                    // count ≤ limit + elapsed × limit / window, in integers
                    var count = (BigInteger)(j - i + 1);
                    ((count - run.Limit) * run.WindowMs * 1000).ShouldBeLessThanOrEqualTo(
                        (BigInteger)(admitted[j] - admitted[i]) * run.Limit);
                }
            }
        });

    /// <summary>
    /// When each request that was let through came, in µs. Also checks what the limiter says of itself on the way.
    /// </summary>
    private static List<long> Admit(
        (int Limit, int WindowMs, int[] Pauses) run, Func<TimeProvider, TimedRateLimiter> create)
    {
        var clock = new ManualTimeProvider();
        clock.Advance(TimeSpan.FromDays(1));
        var limiter = create(clock);
        var admitted = new List<long>();
        foreach (var pause in run.Pauses)
        {
            clock.Advance(TimeSpan.FromMicroseconds(pause));
            var before = limiter.Read();
            var taken = limiter.AttemptAcquire().IsAcquired;
            taken.ShouldBe(before.Remaining > 0);
            if (taken)
            {
                admitted.Add(clock.GetTimestamp() / 10);
                limiter.Read().Remaining.ShouldBe(before.Remaining - 1);
            }
            else
            {
                before.Next!.Value.ShouldBeInRange(
                    TimeSpan.FromMicroseconds(1), TimeSpan.FromMilliseconds(run.WindowMs + 1));
            }

            (limiter.IdleDuration is not null).ShouldBe(limiter.Read().Remaining == run.Limit);
        }

        while (limiter.Read() is { Remaining: var remaining, Next: { } next } && remaining < run.Limit)
        {
            clock.Advance(next);
            limiter.Read().Remaining.ShouldBeGreaterThan(remaining, "more was promised by now");
        }

        return admitted;
    }
}
