using System.Collections.Concurrent;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// The absolute deadline of a forwarded write. It stands in for the client's abort, so that a write outlives its client and its
/// end is learnt.
/// </summary>
internal sealed class WriteDeadline(TimeSpan timeout, TimeProvider time) : CancellationTokenSource(timeout, time)
{
    /// <summary>Lends deadlines out, since every write needs one. A deadline whose timer has fired is not used again.</summary>
    public sealed class Pool(TimeProvider time)
    {
        private const int MaxIdle = 1024;
        private readonly ConcurrentQueue<WriteDeadline> _idle = new();

        public WriteDeadline Start(TimeSpan timeout)
        {
            if (!_idle.TryDequeue(out var deadline))
            {
                return new WriteDeadline(timeout, time);
            }

            deadline.CancelAfter(timeout);
            return deadline;
        }

        public void Return(WriteDeadline deadline)
        {
            if (_idle.Count < MaxIdle && deadline.TryReset())
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
