using System.Threading.RateLimiting;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.Tests.RateLimiting;

public sealed class TimedRateLimiterTests
{
    private readonly ManualTimeProvider _clock = new();

    [Fact]
    public void FixedWindow_OverItsLimit_WaitsForTheEndOfTheWindowThatTheFirstRequestBegan()
    {
        var limiter = new FixedWindowLimiter(_clock, 2, Seconds(10), 0);
        Advance(3);
        Take(limiter, 1).ShouldBe(1);
        Advance(9);
        Take(limiter, 5).ShouldBe(1);
        limiter.Read().ShouldBe(new(0, Seconds(1)));
        Advance(1);

        limiter.Read().ShouldBe(new(2, TimeSpan.Zero));
        Take(limiter, 5).ShouldBe(2);
    }

    [Fact]
    public void SlidingWindow_PermitsComeBackWithTheirSegment()
    {
        var limiter = new SlidingWindowLimiter(_clock, 10, Seconds(8), 8, 0);
        Take(limiter, 6).ShouldBe(6);
        Advance(3);
        Take(limiter, 9).ShouldBe(4);
        limiter.Read().ShouldBe(new(0, Seconds(5)));
        Advance(5);
        limiter.Read().ShouldBe(new(6, Seconds(3)));
        Take(limiter, 9).ShouldBe(6);
        Advance(3);

        limiter.Read().ShouldBe(new(4, Seconds(5)));
    }

    [Fact]
    public void SlidingWindow_IdleForManySegments_HasAllPermitsAtOnce()
    {
        var limiter = new SlidingWindowLimiter(_clock, 10, Seconds(8), 8, 0);
        Take(limiter, 10).ShouldBe(10);
        Advance(8);
        Take(limiter, 20).ShouldBe(10);
        Advance(1000);

        Take(limiter, 20).ShouldBe(10);
    }

    [Fact]
    public void TokenBucket_RefillsEvenlyAndNeverBeyondItsLimit()
    {
        var limiter = new TokenBucketLimiter(_clock, 4, Seconds(2), 0);
        Advance(100);
        Take(limiter, 9).ShouldBe(4, "an idle bucket must not give its burst twice");
        Take(limiter, 1).ShouldBe(0);
        limiter.Read().ShouldBe(new(0, Seconds(0.5)));
        Advance(0.499);
        Take(limiter, 1).ShouldBe(0);
        Advance(0.001);
        Take(limiter, 9).ShouldBe(1);
        Advance(1.25);

        Take(limiter, 9).ShouldBe(2);
        limiter.Read().ShouldBe(new(0, Seconds(0.25)));
    }

    [Fact]
    public void TokenBucket_LargestLimitAndWindow_DoNotOverflow()
    {
        var limiter = new TokenBucketLimiter(_clock, 100_000_000, TimeSpan.FromDays(1), 0);
        Take(limiter, 1000).ShouldBe(1000);
        Advance(TimeSpan.FromDays(10_000).TotalSeconds);

        limiter.Read().ShouldBe(new(100_000_000, TimeSpan.Zero));
    }

    [Theory]
    [InlineData("FixedWindow")]
    [InlineData("SlidingWindow")]
    [InlineData("TokenBucket")]
    public void IdleDuration_FromWhenAllPermitsAreThere(string type)
    {
        var limiter = Create(type, 4, queueLimit: 0);
        limiter.IdleDuration.ShouldNotBeNull();
        Take(limiter, 1);
        limiter.IdleDuration.ShouldBeNull();
        Take(limiter, 3);
        Advance(7);
        limiter.IdleDuration.ShouldBeNull();
        Advance(3);

        limiter.IdleDuration.ShouldBe(Seconds(2));
    }

    [Theory]
    [InlineData("FixedWindow")]
    [InlineData("SlidingWindow")]
    [InlineData("TokenBucket")]
    public async Task Acquire_WithAQueue_ServesInOrderAndKeepsATimerOnlyMeanwhile(string type)
    {
        var limiter = Create(type, 1, queueLimit: 2);
        Take(limiter, 1).ShouldBe(1);
        _clock.ArmedTimers.ShouldBe(0);
        var first = limiter.AcquireAsync(1).AsTask();
        var second = limiter.AcquireAsync(1).AsTask();
        (await limiter.AcquireAsync(1)).IsAcquired.ShouldBeFalse("the queue is full");
        Take(limiter, 1).ShouldBe(0);

        Advance(8);
        (await first.WithinLimit("the first")).IsAcquired.ShouldBeTrue();
        second.IsCompleted.ShouldBeFalse();
        Take(limiter, 1).ShouldBe(0, "nobody overtakes those who wait");
        Advance(8);
        (await second.WithinLimit("the second")).IsAcquired.ShouldBeTrue();

        _clock.ArmedTimers.ShouldBe(0);
    }

    [Fact]
    public async Task Acquire_Cancelled_TakesNoPermitAndLeavesItsPlace()
    {
        var limiter = Create("FixedWindow", 1, queueLimit: 2);
        Take(limiter, 1);
        using var leaving = new CancellationTokenSource();
        var gone = limiter.AcquireAsync(1, leaving.Token).AsTask();
        var patient = limiter.AcquireAsync(1).AsTask();
        await leaving.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(gone);
        Advance(8);

        (await patient.WithinLimit("who stayed")).IsAcquired.ShouldBeTrue();
        using var cancelled = new CancellationTokenSource();
        var late = limiter.AcquireAsync(1, cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(late);
        Advance(8);
        _clock.ArmedTimers.ShouldBe(0);
        Take(limiter, 2).ShouldBe(1);
    }

    private TimedRateLimiter Create(string type, int permits, int queueLimit) => type switch
    {
        "FixedWindow" => new FixedWindowLimiter(_clock, permits, Seconds(8), queueLimit),
        "SlidingWindow" => new SlidingWindowLimiter(_clock, permits, Seconds(8), 8, queueLimit),
        _ => new TokenBucketLimiter(_clock, permits, Seconds(8), queueLimit),
    };

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private static int Take(RateLimiter limiter, int times) =>
        Enumerable.Range(0, times).Count(_ => limiter.AttemptAcquire().IsAcquired);

    private void Advance(double seconds) => _clock.Advance(Seconds(seconds));
}
