namespace FenceGateway.TestKit.Tests.Time;

public sealed class ManualTimeProviderTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void Advance_NoTimer_MovesBothClocksByTheSameTime()
    {
        var start = _time.GetUtcNow();
        var timestamp = _time.GetTimestamp();

        _time.Advance(TimeSpan.FromSeconds(5));

        _time.GetUtcNow().ShouldBe(start + TimeSpan.FromSeconds(5));
        _time.GetElapsedTime(timestamp).ShouldBe(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void Advance_SeveralTimersDue_FireInOrderAndSeeTheirOwnDueTime()
    {
        var start = _time.GetTimestamp();
        List<(string Name, TimeSpan At)> fired = [];
        using var late = Timer("late", 3);
        using var early = Timer("early", 1);
        using var alsoLate = Timer("also late", 3);
        using var never = Timer("never", 4);

        _time.Advance(TimeSpan.FromSeconds(3));

        fired.ShouldBe(
            [("early", TimeSpan.FromSeconds(1)), ("late", TimeSpan.FromSeconds(3)), ("also late", TimeSpan.FromSeconds(3))]);
        _time.ArmedTimers.ShouldBe(1);
        _time.NextTimer.ShouldBe(TimeSpan.FromSeconds(1));

        ITimer Timer(string name, int seconds) => _time.CreateTimer(
            _ => fired.Add((name, _time.GetElapsedTime(start))), null, TimeSpan.FromSeconds(seconds),
            Timeout.InfiniteTimeSpan);
    }

    [Fact]
    public void Advance_JustBeforeTheDueTime_DoesNotFire()
    {
        var fired = 0;
        using var timer = _time.CreateTimer(_ => fired++, null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);

        _time.Advance(TimeSpan.FromSeconds(1) - TimeSpan.FromTicks(1));
        fired.ShouldBe(0);

        _time.Advance(TimeSpan.FromTicks(1));
        fired.ShouldBe(1);
    }

    [Fact]
    public void Advance_PeriodicTimer_FiresOncePerPeriod()
    {
        var fired = 0;
        using var timer = _time.CreateTimer(_ => fired++, null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));

        _time.Advance(TimeSpan.FromSeconds(6));

        fired.ShouldBe(3);
    }

    [Fact]
    public void Advance_TimerDisposedByAnEarlierOne_DoesNotFire()
    {
        var fired = false;
        var second = _time.CreateTimer(_ => fired = true, null, TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);
        using var first = _time.CreateTimer(
            _ => second.Dispose(), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);

        _time.Advance(TimeSpan.FromSeconds(3));

        fired.ShouldBeFalse();
        second.Change(TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan).ShouldBeFalse();
    }

    [Fact]
    public void Advance_TimerArmedByACallbackWithinTheSpan_Fires()
    {
        var fired = false;
        ITimer? second = null;
        using var first = _time.CreateTimer(
            _ => second = _time.CreateTimer(_ => fired = true, null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan),
            null,
            TimeSpan.FromSeconds(1),
            Timeout.InfiniteTimeSpan);

        _time.Advance(TimeSpan.FromSeconds(2));

        fired.ShouldBeTrue();
        second!.Dispose();
    }

    [Fact]
    public async Task WaitForTimerAsync_CodeReachesItsDelayLater_CompletesThen()
    {
        var waiting = _time.WaitForTimerAsync(TimeSpan.FromSeconds(7));
        waiting.IsCompleted.ShouldBeFalse();

        var delay = Task.Delay(TimeSpan.FromSeconds(7), _time, CancellationToken.None);
        await waiting;

        delay.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(7));
        await delay;
    }

    [Fact]
    public async Task WaitForTimersAsync_SecondTimerMissing_WaitsForIt()
    {
        var first = Task.Delay(TimeSpan.FromSeconds(1), _time, CancellationToken.None);
        var waiting = _time.WaitForTimersAsync(2);
        waiting.IsCompleted.ShouldBeFalse();

        var second = Task.Delay(TimeSpan.FromSeconds(1), _time, CancellationToken.None);
        await waiting;

        _time.Advance(TimeSpan.FromSeconds(1));
        await Task.WhenAll(first, second);
    }

    [Fact]
    public async Task CreateTimer_DueAtOnce_FiresWithoutAdvance()
    {
        var fired = new TaskCompletionSource();
        using var timer = _time.CreateTimer(_ => fired.TrySetResult(), null, TimeSpan.Zero, Timeout.InfiniteTimeSpan);

        await fired.Task.WithinLimit("the timer");
    }

    [Fact]
    public void CancelAfter_TimePasses_Cancels()
    {
        using var source = new CancellationTokenSource(TimeSpan.FromSeconds(30), _time);

        _time.Advance(TimeSpan.FromSeconds(29));
        source.IsCancellationRequested.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(1));

        source.IsCancellationRequested.ShouldBeTrue();
    }
}
