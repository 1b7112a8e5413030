using System.Threading.RateLimiting;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// A limit over time. .NET's own know no <see cref="TimeProvider"/> and suit no limit that is brought up to date on
/// use: a sliding window moves one segment a call however long it was idle, and a bucket that was idle gives its burst
/// twice. This one computes from the clock, holds a timer only while somebody waits, and tells when the next permit
/// comes.
/// </summary>
internal abstract class TimedRateLimiter(TimeProvider time, int queueLimit) : RateLimiter
{
    private static readonly RateLimitLease Granted = new Lease(granted: true);
    private static readonly RateLimitLease Refused = new Lease(granted: false);

    private readonly Lock _lock = new();
    private LinkedList<Waiter>? _waiters;
    private ITimer? _timer;

    /// <summary>How long all permits have been there; null while some are taken.</summary>
    public override TimeSpan? IdleDuration
    {
        get
        {
            lock (_lock)
            {
                var since = Now - FullAtLocked();
                return since >= 0 ? TimeSpan.FromMicroseconds(since) : null;
            }
        }
    }

    private long Now => LimitClock.Now(time);

    /// <summary>Not supported: <see cref="Read"/> tells more, without an object.</summary>
    public override RateLimiterStatistics? GetStatistics() => null;

    public RateLimitReading Read()
    {
        lock (_lock)
        {
            var now = Now;
            return new(AvailableLocked(now), TimeSpan.FromMicroseconds(Math.Max(0, NextAtLocked(now) - now)));
        }
    }

    /// <summary>Brings the count up to <paramref name="now"/>; how many permits can be taken then.</summary>
    protected abstract int AvailableLocked(long now);

    /// <summary>Takes one that <see cref="AvailableLocked"/> has just found.</summary>
    protected abstract void TakeLocked();

    /// <summary>When one more permit will be there; now, if none is taken.</summary>
    protected abstract long NextAtLocked(long now);

    /// <summary>When all permits will be there, or since when they are, if nothing more is taken.</summary>
    protected abstract long FullAtLocked();

    protected override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(permitCount, 1);
        lock (_lock)
        {
            return TryTakeLocked() ? Granted : Refused;
        }
    }

    /// <summary>Waits in line if the line is not full. A cancelled wait takes no permit.</summary>
    protected override ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(permitCount, 1);
        Waiter waiter;
        lock (_lock)
        {
            if (TryTakeLocked())
            {
                return ValueTask.FromResult(Granted);
            }

            _waiters ??= [];
            if (_waiters.Count >= queueLimit)
            {
                return ValueTask.FromResult(Refused);
            }

            waiter = new Waiter(this);
            _waiters.AddLast(waiter.Place);
            ArmLocked();
        }

        return waiter.WaitAsync(cancellationToken);
    }

    /// <summary>Nobody overtakes those who wait.</summary>
    private bool TryTakeLocked()
    {
        if (_waiters is { Count: > 0 } || AvailableLocked(Now) == 0)
        {
            return false;
        }

        TakeLocked();
        return true;
    }

    private void Serve()
    {
        lock (_lock)
        {
            while (_waiters!.First is { } first && AvailableLocked(Now) > 0)
            {
                TakeLocked();
                _waiters.RemoveFirst();
                first.Value.Grant();
            }

            ArmLocked();
        }
    }

    private void Abandon(Waiter waiter, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (waiter.Place.List is not null)
            {
                _waiters!.Remove(waiter.Place);
                waiter.Cancel(cancellationToken);
            }
        }
    }

    /// <summary>A timer that finds nobody waiting is the last.</summary>
    private void ArmLocked()
    {
        if (_waiters!.Count == 0)
        {
            _timer?.Dispose();
            _timer = null;
            return;
        }

        // A timer counts whole milliseconds and may be early by a part of one.
        var now = Now;
        var due = TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling((NextAtLocked(now) - now) / 1000.0)));
        if (_timer is null)
        {
            _timer = time.CreateTimer(
                static limiter => ((TimedRateLimiter)limiter!).Serve(), this, due, Timeout.InfiniteTimeSpan);
        }
        else
        {
            _timer.Change(due, Timeout.InfiniteTimeSpan);
        }
    }

    private sealed class Waiter
    {
        private readonly TimedRateLimiter _limiter;
        private readonly TaskCompletionSource<RateLimitLease> _answer = new(
            TaskCreationOptions.RunContinuationsAsynchronously);

        public Waiter(TimedRateLimiter limiter)
        {
            _limiter = limiter;
            Place = new LinkedListNode<Waiter>(this);
        }

        public LinkedListNode<Waiter> Place { get; }

        public void Grant() => _answer.SetResult(Granted);

        public void Cancel(CancellationToken cancellationToken) => _answer.SetCanceled(cancellationToken);

        public async ValueTask<RateLimitLease> WaitAsync(CancellationToken cancellationToken)
        {
            await using var registration = cancellationToken.UnsafeRegister(
                static (state, token) => ((Waiter)state!)._limiter.Abandon((Waiter)state, token), this);
            return await _answer.Task;
        }
    }

    /// <summary>A permit of a window is not given back.</summary>
    private sealed class Lease(bool granted) : RateLimitLease
    {
        public override bool IsAcquired => granted;

        public override IEnumerable<string> MetadataNames => [];

        public override bool TryGetMetadata(string metadataName, out object? metadata)
        {
            metadata = null;
            return false;
        }
    }
}
