namespace FenceGateway.Simulation.Kernel;

/// <summary>
/// A process of the run: what it does comes here, one continuation at a time, and stands still while it is stopped, be
/// it in the middle of a request; after its death nothing of it happens any more.
/// </summary>
internal sealed class SimulatedProcess : SynchronizationContext
{
    /// <summary>From one continuation to the next, at most: others do something between them.</summary>
    private static readonly int LongestTurn = (int)TimeSpan.FromMicroseconds(40).Ticks;

    private readonly Queue<(SendOrPostCallback Call, object? State)> _ready = new();
    private readonly List<Action> _deferred = [];
    private readonly Scheduler _scheduler;
    private readonly Random _random;
    private bool _hasTurn;

    /// <param name="scheduler">Of the run.</param>
    /// <param name="random">Of the run.</param>
    /// <param name="rate">How fast its clocks run.</param>
    public SimulatedProcess(Scheduler scheduler, Random random, double rate)
    {
        (_scheduler, _random) = (scheduler, random);
        Clock = new ProcessClock(scheduler, this, rate);
    }

    public ProcessClock Clock { get; }

    public bool IsAlive { get; private set; } = true;

    public bool IsStopped { get; private set; }

    /// <summary>Goes on with something, in its turn.</summary>
    public void Run(Action action) => Post(static state => ((Action)state!)(), action);

    public override void Post(SendOrPostCallback d, object? state)
    {
        if (IsAlive)
        {
            _ready.Enqueue((d, state));
            TakeTurn();
        }
    }

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException();

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>
    /// Stands still: stopped, while its clocks go on; or suspended with its machine, whose monotonic clock stands still
    /// too.
    /// </summary>
    public void Stop(bool isSuspended)
    {
        IsStopped = true;
        if (isSuspended)
        {
            Clock.Freeze();
        }
    }

    public void Resume()
    {
        if (!IsStopped)
        {
            return;
        }

        IsStopped = false;
        Clock.Thaw();
        foreach (var action in _deferred)
        {
            action();
        }

        _deferred.Clear();
        TakeTurn();
    }

    public void Kill()
    {
        IsAlive = false;
        _ready.Clear();
        _deferred.Clear();
    }

    /// <summary>What comes due while it stands still is looked at when it goes on.</summary>
    public void Defer(Action action) => _deferred.Add(action);

    private void TakeTurn()
    {
        if (!_hasTurn && !IsStopped && _ready.Count > 0)
        {
            _hasTurn = true;
            _scheduler.At(_scheduler.Now + _random.Next(1, LongestTurn), Turn);
        }
    }

    private void Turn()
    {
        _hasTurn = false;
        if (!IsAlive || IsStopped)
        {
            return;
        }

        var (call, state) = _ready.Dequeue();
        var outside = Current;
        SetSynchronizationContext(this);
        call(state);
        SetSynchronizationContext(outside);
        TakeTurn();
    }
}
