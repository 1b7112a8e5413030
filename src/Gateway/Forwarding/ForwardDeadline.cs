using System.Collections.Concurrent;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// What ends an attempt: the earlier of its time to the first byte and the end of all attempts, and the end of the session in which
/// it was admitted. It stands in for the client's abort. A request that has to outlive its client does not hear of the client; any
/// other one ends with it.
/// </summary>
/// <remarks>
/// Lent to one attempt after the other without a change of its timer, which a busy gateway would feel: at the end of a deadline nothing
/// is set back, and a timer that rings for one of long ago sets itself to the one that counts by then.
/// </remarks>
internal sealed class ForwardDeadline : CancellationTokenSource
{
    private const long Never = long.MaxValue;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly Lock _gate = new();
    private CancellationTokenRegistration _client;
    private CancellationTokenRegistration _session;
    private volatile bool _clientGone;
    private volatile bool _sessionOver;
    private TimeSpan _total;
    private long _startedAt;
    private bool _awaitsHead;

    // Under the gate: when time runs out, and when the timer rings, in monotonic ticks.
    private long _dueAt = Never;
    private long _ringsAt = Never;
    private bool _hasPassed;

    private ForwardDeadline(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(
            static state => ((ForwardDeadline)state!).Ring(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether time has run out; not whether the client went away, or the session ended.</summary>
    public bool HasPassed => IsCancellationRequested && !_clientGone && !_sessionOver;

    /// <summary>The client went away, and the attempt with it.</summary>
    public bool IsClientGone => _clientGone;

    /// <summary>The session in which the attempt was admitted has ended, and the attempt with it.</summary>
    public bool IsSessionOver => _sessionOver;

    /// <summary>The session in which the attempt was admitted is over.</summary>
    public void EndSession()
    {
        _sessionOver = true;
        Cancel();
    }

    /// <summary>The head of the answer is there: from now on only the end of all attempts counts.</summary>
    /// <param name="isUpgrade">It makes a tunnel of the connection, which is no answer that could come to its end.</param>
    public void HeadArrived(bool isUpgrade)
    {
        if (isUpgrade || _awaitsHead)
        {
            _awaitsHead = false;
            SetDue(isUpgrade || _total == Timeout.InfiniteTimeSpan ? Timeout.InfiniteTimeSpan : Left());
        }
    }

    private void Start(TimeSpan? firstByte, TimeSpan total, CancellationToken client, CancellationToken session)
    {
        if (firstByte is { } first && (total == Timeout.InfiniteTimeSpan || first < total))
        {
            (_awaitsHead, _total, _startedAt) = (true, total, _time.GetTimestamp());
            SetDue(first);
        }
        else
        {
            SetDue(total);
        }

        if (client.CanBeCanceled)
        {
            _client = client.UnsafeRegister(static state => ((ForwardDeadline)state!).LoseClient(), this);
        }

        if (session.CanBeCanceled)
        {
            _session = session.UnsafeRegister(static state => ((ForwardDeadline)state!).EndSession(), this);
        }
    }

    private TimeSpan Left() =>
        _total - _time.GetElapsedTime(_startedAt) is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    private void LoseClient()
    {
        _clientGone = true;
        Cancel();
    }

    private void SetDue(TimeSpan left)
    {
        lock (_gate)
        {
            var now = _time.GetTimestamp();
            _dueAt = left == Timeout.InfiniteTimeSpan ? Never : now + (long)Math.Ceiling(left.TotalSeconds * _time.TimestampFrequency);
            if (_dueAt < _ringsAt)
            {
                RingAt(_dueAt, now);
            }
        }
    }

    private void Ring()
    {
        lock (_gate)
        {
            _ringsAt = Never;
            if (_dueAt == Never)
            {
                return;
            }

            var now = _time.GetTimestamp();
            if (now < _dueAt)
            {
                RingAt(_dueAt, now);
                return;
            }

            _hasPassed = true;
        }

        Cancel();
    }

    private void RingAt(long moment, long now)
    {
        _ringsAt = moment;
        // Timers count whole milliseconds: rounded down, it would ring all through the last one.
        var left = TimeSpan.FromMilliseconds(Math.Ceiling(_time.GetElapsedTime(now, moment).TotalMilliseconds));
        _timer.Change(left, Timeout.InfiniteTimeSpan);
    }

    private bool TryReuse()
    {
        _client.Dispose();
        _session.Dispose();
        (_client, _session, _awaitsHead) = (default, default, false);
        lock (_gate)
        {
            _dueAt = Never;
            return !_hasPassed && !_clientGone && !_sessionOver && TryReset();
        }
    }

    /// <summary>Lends deadlines out, since every write needs one. One that has passed is not used again.</summary>
    public sealed class Pool(TimeProvider time)
    {
        private const int MaxIdle = 1024;
        private readonly ConcurrentQueue<ForwardDeadline> _idle = new();

        /// <summary>Starts the time of an attempt.</summary>
        /// <param name="firstByte">Until the head of the answer; null: as long as <paramref name="total"/>.</param>
        /// <param name="total">Until the end of the answer; may be infinite.</param>
        /// <param name="client">The client's abort, if the attempt ends with it.</param>
        /// <param name="session">The end of the session in which it was admitted, if the attempt ends with it.</param>
        public ForwardDeadline Start(TimeSpan? firstByte, TimeSpan total, CancellationToken client, CancellationToken session)
        {
            if (!_idle.TryDequeue(out var deadline))
            {
                deadline = new ForwardDeadline(time);
            }

            deadline.Start(firstByte, total, client, session);
            return deadline;
        }

        public void Return(ForwardDeadline deadline)
        {
            if (deadline.TryReuse() && _idle.Count < MaxIdle)
            {
                _idle.Enqueue(deadline);
            }
            else
            {
                // Not the source itself: its timer may be about to cancel it.
                deadline._timer.Dispose();
            }
        }
    }
}
