using System.Diagnostics.CodeAnalysis;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// A bulkhead for each resource of a route, so that a hot one does not take the places of all. Made when a resource is
/// first asked for; idle ones are thrown out when they have become many, those in use are as many as the route has
/// requests.
/// </summary>
/// <remarks>Safe for use by several threads: each resource belongs to one of a few stripes with a lock of its
/// own.</remarks>
internal sealed class ResourceBulkheads
{
    private const int StripeCount = 16;
    private const int IdlePerStripe = 256;
    private readonly Stripe[] _stripes;
    private volatile ResourceBulkheadPolicy _policy;

    public ResourceBulkheads(string route, ResourceBulkheadPolicy policy, FencedWaiters fenced, TimeProvider time)
    {
        Name = new BulkheadName(BulkheadScope.Resource, route);
        _policy = policy;
        _stripes = [.. Enumerable.Range(0, StripeCount).Select(_ => new Stripe(this, fenced, time))];
    }

    public BulkheadName Name { get; }

    public ResourceBulkheadPolicy Policy => _policy;

    /// <summary>Resources whose bulkheads are held.</summary>
    public int Count => _stripes.Sum(stripe => stripe.Count);

    /// <summary>
    /// Takes a place of the resource if one is free. Does not allocate for a resource that was in use lately.
    /// </summary>
    /// <param name="key">The resource's key.</param>
    /// <param name="text">The same as a string, if there is one.</param>
    /// <param name="token">The token that counts; 0 is none.</param>
    /// <param name="entered">The bulkhead that a place was taken of; it has to be given back there.</param>
    public bool TryEnter(
        ReadOnlySpan<char> key, string? text, long token, [NotNullWhen(true)] out ResourceBulkhead? entered)
    {
        var stripe = StripeOf(key);
        lock (stripe.Gate)
        {
            var bulkhead = stripe.GetLocked(key, text);
            entered = bulkhead.TryEnterLocked(token) ? bulkhead : null;
            return entered is not null;
        }
    }

    /// <summary>Takes a place of the resource, waits for one, or is refused.</summary>
    /// <param name="key">The resource's key.</param>
    /// <param name="fence">The resource's fence; null when no token orders the request.</param>
    /// <param name="token">Its token; 0 without a fence.</param>
    /// <param name="bulkhead">The resource's bulkhead: where a place has to be given back if one is taken.</param>
    /// <param name="cancellationToken">Ends the wait with <see cref="OperationCanceledException"/>; no place is held
    /// then.</param>
    public ValueTask<PlaceStatus> EnterAsync(
        ReadOnlySpan<char> key, ResourceFence? fence, long token, out ResourceBulkhead bulkhead,
        CancellationToken cancellationToken)
    {
        PlaceStatus? status;
        PlaceWaiter? waiter, pushedOut;
        var stripe = StripeOf(key);
        lock (stripe.Gate)
        {
            bulkhead = stripe.GetLocked(key, fence?.Resource.Value);
            status = bulkhead.EnterLocked(fence, token, out waiter, out pushedOut);
        }

        return status is { } known ? new(known) : bulkhead.WaitAsync(waiter!, pushedOut, cancellationToken);
    }

    /// <summary>Puts another policy in force.</summary>
    public void Apply(ResourceBulkheadPolicy policy)
    {
        _policy = policy;
        foreach (var stripe in _stripes)
        {
            stripe.GrantAll();
        }
    }

    /// <summary>The places taken and the requests that wait, over all resources.</summary>
    public (int InUse, int Waiting) CountAll()
    {
        var (inUse, waiting) = (0, 0);
        foreach (var stripe in _stripes)
        {
            stripe.CountAll(ref inUse, ref waiting);
        }

        return (inUse, waiting);
    }

    private Stripe StripeOf(ReadOnlySpan<char> key) =>
        _stripes[string.GetHashCode(key, StringComparison.Ordinal) & (StripeCount - 1)];

    private sealed class Stripe
    {
        private readonly Dictionary<string, ResourceBulkhead> _bulkheads = new(StringComparer.Ordinal);
        private readonly Dictionary<string, ResourceBulkhead>.AlternateLookup<ReadOnlySpan<char>> _byKey;
        private readonly ResourceBulkheads _owner;
        private readonly FencedWaiters _fenced;
        private readonly TimeProvider _time;
        private int _sweepAt = IdlePerStripe;

        public Stripe(ResourceBulkheads owner, FencedWaiters fenced, TimeProvider time)
        {
            (_owner, _fenced, _time) = (owner, fenced, time);
            _byKey = _bulkheads.GetAlternateLookup<ReadOnlySpan<char>>();
        }

        public Lock Gate { get; } = new();

        public int Count => _bulkheads.Count;

        public ResourceBulkhead GetLocked(ReadOnlySpan<char> key, string? text)
        {
            if (_byKey.TryGetValue(key, out var bulkhead))
            {
                return bulkhead;
            }

            if (_bulkheads.Count >= _sweepAt)
            {
                SweepLocked();
            }

            bulkhead = new ResourceBulkhead(_owner, Gate, _fenced, _time);
            _bulkheads.Add(text ?? key.ToString(), bulkhead);
            return bulkhead;
        }

        public void GrantAll()
        {
            lock (Gate)
            {
                foreach (var bulkhead in _bulkheads.Values)
                {
                    // Waking under this lock is harmless: it only queues.
                    PlacePool.WakeAll(bulkhead.GrantLocked());
                }
            }
        }

        public void CountAll(ref int inUse, ref int waiting)
        {
            lock (Gate)
            {
                foreach (var bulkhead in _bulkheads.Values)
                {
                    inUse += bulkhead.InUse;
                    waiting += bulkhead.Waiting;
                }
            }
        }

        /// <summary>
        /// Throws idle ones out; the next sweep is so far off that it is paid for by what was added until then.
        /// </summary>
        private void SweepLocked()
        {
            foreach (var (key, bulkhead) in _bulkheads)
            {
                if (bulkhead.IsIdle)
                {
                    _bulkheads.Remove(key);
                }
            }

            _sweepAt = Math.Max(IdlePerStripe, 2 * _bulkheads.Count);
        }
    }
}
