namespace FenceGateway.Simulation.Kernel;

/// <summary>
/// What happens, and when, in the virtual time of one run: everything in one thread, in an order that the seed decides.
/// </summary>
internal sealed class Scheduler
{
    private readonly PriorityQueue<Action, (long At, long Order)> _events = new(Comparer.Instance);
    private long _scheduled;

    /// <summary>True time since the start of the run, in ticks of 100 ns. Nobody in the run can see it.</summary>
    public long Now { get; private set; }

    public void After(TimeSpan delay, Action action) => At(Now + delay.Ticks, action);

    /// <summary>
    /// At a moment, or now when that has passed. What is due at the same time happens in the order in which it was
    /// scheduled.
    /// </summary>
    public void At(long moment, Action action) => _events.Enqueue(action, (Math.Max(moment, Now), _scheduled++));

    public void RunUntil(long end)
    {
        while (_events.TryPeek(out var action, out var due) && due.At <= end)
        {
            _events.Dequeue();
            Now = due.At;
            action();
        }

        Now = Math.Max(Now, end);
    }

    private sealed class Comparer : IComparer<(long At, long Order)>
    {
        public static readonly Comparer Instance = new();

        public int Compare((long At, long Order) x, (long At, long Order) y) =>
            x.At != y.At ? x.At.CompareTo(y.At) : x.Order.CompareTo(y.Order);
    }
}
