using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// The bulkhead of a route or of a cluster: so many requests at the service at once. A reload changes its limits and
/// keeps what is in use.
/// </summary>
/// <remarks>Safe for use by several threads.</remarks>
internal sealed class Bulkhead : PlacePool
{
    private BulkheadPolicy _policy;
    private GradientLimit? _gradient;
    private int _limit;
    private int _inUse;

    public Bulkhead(BulkheadName name, BulkheadPolicy policy, FencedWaiters fenced, TimeProvider time)
        : base(new Lock(), fenced, time)
    {
        Name = name;
        _policy = policy;
        _limit = policy.PermitLimit;
        _gradient = Gradient(policy);
    }

    public BulkheadName Name { get; }

    /// <summary>Places taken.</summary>
    public int InUse => Volatile.Read(ref _inUse);

    /// <summary>Places that there are now.</summary>
    public int Limit => Volatile.Read(ref _limit);

    public override TimeSpan QueueTimeout => _policy.QueueTimeout;

    protected override int QueueLimit => _policy.QueueLimit;

    /// <summary>Takes a place if one is free.</summary>
    public bool TryEnter()
    {
        lock (Gate)
        {
            if (_inUse >= _limit)
            {
                return false;
            }

            _inUse++;
            return true;
        }
    }

    /// <summary>Takes a place, waits for one, or is refused.</summary>
    /// <param name="fence">The fence of its resource; null when no token orders it.</param>
    /// <param name="token">Its token; 0 without a fence.</param>
    /// <param name="cancellationToken">Ends the wait with <see cref="OperationCanceledException"/>; no place is held
    /// then.</param>
    public ValueTask<PlaceStatus> EnterAsync(ResourceFence? fence, long token, CancellationToken cancellationToken)
    {
        PlaceStatus? status;
        PlaceWaiter? waiter, pushedOut;
        lock (Gate)
        {
            status = EnterLocked(fence, token, out waiter, out pushedOut);
        }

        return status is { } known ? new(known) : WaitAsync(waiter!, pushedOut, cancellationToken);
    }

    /// <summary>Gives a place back; it goes to whoever is next.</summary>
    public void Exit() => Exit(token: 0);

    /// <summary>
    /// Puts another policy in force. What the adaptive limit has learnt stays, within the new bounds.
    /// </summary>
    public void Apply(BulkheadPolicy policy)
    {
        PlaceWaiter? ended;
        lock (Gate)
        {
            if (policy.Adaptive != _policy.Adaptive || policy.Adaptive is null)
            {
                _gradient = Gradient(policy);
                _limit = policy.PermitLimit;
            }

            _policy = policy;
            ended = GrantLocked();
        }

        WakeAll(ended);
    }

    /// <summary>An attempt was answered or dropped: what the adaptive limit, if there is one, learns from.</summary>
    public void Sample(TimeSpan latency, bool dropped)
    {
        if (_gradient is null)
        {
            return;
        }

        PlaceWaiter? ended = null;
        lock (Gate)
        {
            if (_gradient?.Sample(latency, dropped, _inUse) == true)
            {
                _limit = _gradient.Limit;
                ended = GrantLocked();
            }
        }

        WakeAll(ended);
    }

    protected override bool HasPlaceLocked(long token) => _inUse < _limit;

    protected override void TakeLocked(long token) => _inUse++;

    protected override void GiveBackLocked(long token) => _inUse = _inUse > 0
        ? _inUse - 1
        : throw new InvalidOperationException("A place was given back that nobody had.");

    private static GradientLimit? Gradient(BulkheadPolicy policy) => policy.Adaptive is { } adaptive
        ? new GradientLimit(policy.PermitLimit, adaptive.MinLimit, adaptive.MaxLimit)
        : null;
}
