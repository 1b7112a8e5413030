namespace FenceGateway.TestKit;

/// <summary>
/// A clock that stands still until <see cref="Advance"/>. Due timers fire on the thread that advances, in the order of
/// their due times (equal ones in the order in which they were armed). Safe for use by several threads.
/// </summary>
/// <remarks>
/// Arm first, then advance: a test awaits <see cref="WaitForTimersAsync(int)"/> or <see cref="WaitForTimerAsync"/> so
/// that the code under test has reached its wait. A timer armed with a due time of zero fires at once, on the thread
/// pool.
/// <para>
/// Not the FakeTimeProvider of Microsoft.Extensions.TimeProvider.Testing: that one moves the clock to its end first and
/// fires timers afterwards, so a chain of waits takes one link an advance; it fires a timer with a due time of zero on
/// the thread that arms it, inside its locks; each of its advances sleeps; and it does not tell which timers are armed,
/// for which every timer would have to be wrapped.
/// </para>
/// </remarks>
public sealed class ManualTimeProvider(DateTimeOffset start) : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly SortedSet<ManualTimer> _armed = new(ManualTimer.ByDueTime);
    private readonly List<Waiter> _waiters = [];
    private long _now;
    private long _order;

    public ManualTimeProvider()
        : this(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>How many timers wait for the clock.</summary>
    public int ArmedTimers
    {
        get
        {
            lock (_lock)
            {
                return _armed.Count;
            }
        }
    }

    /// <summary>
    /// How often a timer was armed, ever: one that was disarmed since counts too, and one that is armed again counts
    /// again.
    /// </summary>
    public long TimersEverArmed
    {
        get
        {
            lock (_lock)
            {
                return _order;
            }
        }
    }

    /// <summary>The time until the next timer is due; null when none is armed.</summary>
    public TimeSpan? NextTimer
    {
        get
        {
            lock (_lock)
            {
                return _armed.Min is { } timer ? TimeSpan.FromTicks(timer.Due - _now) : null;
            }
        }
    }

    /// <summary>
    /// By how much the clock of the day has been set forward, or has gone on while the machine was suspended.
    /// </summary>
    public TimeSpan DayShift { get; set; }

    public override DateTimeOffset GetUtcNow() => start + DayShift + TimeSpan.FromTicks(GetTimestamp());

    public override long GetTimestamp() => Interlocked.Read(ref _now);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        _ = timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the clock forward; each timer sees the clock at its own due time.</summary>
    public void Advance(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        var target = GetTimestamp() + time.Ticks;
        while (TakeDue(target) is { } timer)
        {
            timer.Fire();
        }
    }

    /// <summary>Completes when at least <paramref name="count"/> timers are armed.</summary>
    public Task WaitForTimersAsync(int count) =>
        WaitAsync(timers => timers.Count >= count, $"{count} armed timers");

    /// <summary>
    /// Completes when a timer is armed that is due exactly <paramref name="dueTime"/> from now, or from when the clock
    /// will stand at by then.
    /// </summary>
    public Task WaitForTimerAsync(TimeSpan dueTime) => WaitForTimersAsync(1, dueTime);

    /// <summary>
    /// Completes when <paramref name="count"/> timers are armed that are due as <see cref="WaitForTimerAsync"/> says.
    /// Timers that something else arms, at a time of its own, are no part of the count.
    /// </summary>
    public Task WaitForTimersAsync(int count, TimeSpan dueTime)
    {
        var since = GetTimestamp();
        return WaitAsync(
            timers => timers.Count(t => t.Due - dueTime.Ticks >= since && t.Due - dueTime.Ticks <= _now) >= count,
            $"{count} timers due in {dueTime}");
    }

    /// <summary>Completes when a timer is armed that is due <paramref name="dueTime"/> from now or earlier.</summary>
    public Task WaitForTimerWithinAsync(TimeSpan dueTime) =>
        WaitAsync(timers => timers.Any(t => t.Due - _now <= dueTime.Ticks), $"a timer due within {dueTime}");

    private async Task WaitAsync(Func<IReadOnlyCollection<ManualTimer>, bool> condition, string what)
    {
        var waiter = new Waiter(
            condition, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (_lock)
        {
            _waiters.Add(waiter);
            NotifyLocked();
        }

        try
        {
            await waiter.Completion.Task.WithinLimit(what);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}; there are: {DescribeTimers()}", e);
        }
    }

    private string DescribeTimers()
    {
        lock (_lock)
        {
            return string.Join(", ", _armed.Select(timer => TimeSpan.FromTicks(timer.Due - _now)));
        }
    }

    private ManualTimer? TakeDue(long target)
    {
        lock (_lock)
        {
            if (_armed.Min is not { } timer || timer.Due > target)
            {
                _now = Math.Max(_now, target);
                NotifyLocked();
                return null;
            }

            _ = _armed.Remove(timer);
            _now = Math.Max(_now, timer.Due);
            RearmLocked(timer);
            return timer;
        }
    }

    private void RearmLocked(ManualTimer timer)
    {
        if (timer.Period > 0)
        {
            ArmLocked(timer, timer.Period);
        }
    }

    private void ArmLocked(ManualTimer timer, long dueIn)
    {
        timer.Due = _now + dueIn;
        timer.Order = ++_order;
        _ = _armed.Add(timer);
        NotifyLocked();
    }

    private void NotifyLocked() => _waiters.RemoveAll(w => w.Condition(_armed) && w.Completion.TrySetResult());

    private bool Change(ManualTimer timer, TimeSpan dueTime, TimeSpan period)
    {
        lock (_lock)
        {
            if (timer.Disposed)
            {
                return false;
            }

            _ = _armed.Remove(timer);
            timer.Period = period == Timeout.InfiniteTimeSpan ? 0 : period.Ticks;
            if (dueTime == Timeout.InfiniteTimeSpan)
            {
                return true;
            }

            if (dueTime > TimeSpan.Zero)
            {
                ArmLocked(timer, dueTime.Ticks);
                return true;
            }

            RearmLocked(timer);
        }

        _ = ThreadPool.UnsafeQueueUserWorkItem(static t => t.Fire(), timer, preferLocal: false);
        return true;
    }

    private void Remove(ManualTimer timer)
    {
        lock (_lock)
        {
            timer.Disposed = true;
            _ = _armed.Remove(timer);
        }
    }

    private sealed record Waiter(
        Func<IReadOnlyCollection<ManualTimer>, bool> Condition, TaskCompletionSource Completion);

    /// <summary>Its fields belong to the provider's lock.</summary>
    private sealed class ManualTimer(ManualTimeProvider clock, TimerCallback callback, object? state) : ITimer
    {
        public static readonly IComparer<ManualTimer> ByDueTime =
            Comparer<ManualTimer>.Create((a, b) => (a.Due, a.Order).CompareTo((b.Due, b.Order)));

        private readonly ExecutionContext? _context = ExecutionContext.Capture();

        public long Due { get; set; }

        public long Order { get; set; }

        public long Period { get; set; }

        public bool Disposed { get; set; }

        public bool Change(TimeSpan dueTime, TimeSpan period) => clock.Change(this, dueTime, period);

        public void Fire()
        {
            if (_context is null)
            {
                callback(state);
                return;
            }

            ExecutionContext.Run(_context, static t => ((ManualTimer)t!).Invoke(), this);
        }

        public void Dispose() => clock.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Invoke() => callback(state);
    }
}
