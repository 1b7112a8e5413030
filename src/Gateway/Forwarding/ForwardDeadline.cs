using System.Collections.Concurrent;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// What ends an attempt: the earlier of its time to the first byte and the end of all attempts, and the end of the
/// session in which it was admitted. It stands in for the client's abort. A request that has to outlive its client does
/// not hear of the client; any other one ends with it.
/// </summary>
internal sealed class ForwardDeadline(TimeProvider time) : CancellationTokenSource(Timeout.InfiniteTimeSpan, time)
{
    private readonly TimeProvider _time = time;
    private CancellationTokenRegistration _client;
    private CancellationTokenRegistration _session;
    private volatile bool _clientGone;
    private volatile bool _sessionOver;
    private TimeSpan _total;
    private long _startedAt;
    private bool _awaitsHead;

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
    /// <param name="isUpgrade">It makes a tunnel of the connection, which is no answer that could come to its
    /// end.</param>
    public void HeadArrived(bool isUpgrade)
    {
        if (isUpgrade || _awaitsHead)
        {
            _awaitsHead = false;
            CancelAfter(isUpgrade || _total == Timeout.InfiniteTimeSpan ? Timeout.InfiniteTimeSpan : Left());
        }
    }

    private void Start(TimeSpan? firstByte, TimeSpan total, CancellationToken client, CancellationToken session)
    {
        if (firstByte is { } first && (total == Timeout.InfiniteTimeSpan || first < total))
        {
            (_awaitsHead, _total, _startedAt) = (true, total, _time.GetTimestamp());
            CancelAfter(first);
        }
        else
        {
            CancelAfter(total);
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

    private bool TryReuse()
    {
        _client.Dispose();
        _session.Dispose();
        (_client, _session, _awaitsHead) = (default, default, false);
        return !_clientGone && !_sessionOver && TryReset();
    }

    /// <summary>
    /// Lends deadlines out, since every write needs one. A deadline whose timer has fired is not used again.
    /// </summary>
    public sealed class Pool(TimeProvider time)
    {
        private const int MaxIdle = 1024;
        private readonly ConcurrentQueue<ForwardDeadline> _idle = new();

        /// <summary>Starts the time of an attempt.</summary>
        /// <param name="firstByte">Until the head of the answer; null: as long as <paramref name="total"/>.</param>
        /// <param name="total">Until the end of the answer; may be infinite.</param>
        /// <param name="client">The client's abort, if the attempt ends with it.</param>
        /// <param name="session">The end of the session in which it was admitted, if the attempt ends with it.</param>
        public ForwardDeadline Start(
            TimeSpan? firstByte, TimeSpan total, CancellationToken client, CancellationToken session)
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
                deadline.Dispose();
            }
        }
    }
}
