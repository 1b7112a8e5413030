namespace FenceGateway.Simulation.Kernel;

/// <summary>
/// The clocks of one process: a monotonic one that runs a little too fast or too slow, and that of the day, which
/// somebody may set.
/// </summary>
internal sealed class ProcessClock(Scheduler scheduler, SimulatedProcess process, double rate) : TimeProvider
{
    private static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private long _since = scheduler.Now;
    private long _base = TimeSpan.TicksPerHour;
    private bool _isFrozen;

    /// <summary>How far the clock of the day is off.</summary>
    public TimeSpan Skew { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long GetTimestamp() => _isFrozen ? _base : _base + (long)((scheduler.Now - _since) * rate);

    public override DateTimeOffset GetUtcNow() => Epoch + TimeSpan.FromTicks(scheduler.Now) + Skew;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    public void Freeze() => (_base, _isFrozen) = (GetTimestamp(), true);

    public void Thaw() => (_since, _isFrozen) = (_isFrozen ? scheduler.Now : _since, false);

    private long TrueTime(long timestamp) => scheduler.Now + (long)Math.Ceiling((timestamp - GetTimestamp()) / rate);

    private sealed class Timer(ProcessClock clock, TimerCallback callback, object? state) : ITimer
    {
        private long _due;
        private TimeSpan _period;
        private int _version;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _version++;
            _period = period;
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                _due = clock.GetTimestamp() + dueTime.Ticks;
                Arm();
            }

            return true;
        }

        public void Dispose() => _version++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Arm()
        {
            var version = _version;
            clock.ScheduleAt(_due, () => Due(version));
        }

        private void Due(int version)
        {
            if (version != _version)
            {
                return;
            }

            if (clock.IsStopped)
            {
                clock.Defer(() => Due(version));
            }
            else if (clock.GetTimestamp() < _due)
            {
                Arm();
            }
            else
            {
                clock.Run(() => Fire(version));
            }
        }

        private void Fire(int version)
        {
            if (version != _version)
            {
                return;
            }

            if (_period > TimeSpan.Zero)
            {
                _due += _period.Ticks;
                Arm();
            }

            callback(state);
        }
    }

    private bool IsStopped => process.IsStopped;

    private void Defer(Action action) => process.Defer(action);

    private void Run(Action action) => process.Run(action);

    private void ScheduleAt(long timestamp, Action action) => scheduler.At(TrueTime(timestamp), action);
}
