using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// All waiting requests with a token, by resource, whichever compartment they wait at: when the mark of a resource
/// rises, those with older tokens leave at once.
/// </summary>
internal sealed class FencedWaiters
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, HashSet<PlaceWaiter>> _byResource = new(StringComparer.Ordinal);
    private int _count;

    public FencedWaiters(FenceTable table) => table.MarkRaised += LeaveStale;

    public void Add(PlaceWaiter waiter)
    {
        var key = waiter.Fence!.Resource.Value;
        lock (_gate)
        {
            if (!_byResource.TryGetValue(key, out var waiters))
            {
                _byResource.Add(key, waiters = []);
            }

            waiters.Add(waiter);
            _count++;
        }
    }

    public void Remove(PlaceWaiter waiter)
    {
        var key = waiter.Fence!.Resource.Value;
        lock (_gate)
        {
            var waiters = _byResource[key];
            waiters.Remove(waiter);
            _count--;
            if (waiters.Count == 0)
            {
                _byResource.Remove(key);
            }
        }
    }

    private void LeaveStale(ResourceFence fence)
    {
        // Mostly nobody waits. Whoever is added only now looks at the mark itself, after it was added.
        if (Volatile.Read(ref _count) == 0)
        {
            return;
        }

        PlaceWaiter[] stale;
        var mark = fence.Mark;
        lock (_gate)
        {
            stale = _byResource.TryGetValue(fence.Resource.Value, out var waiters)
                ? [.. waiters.Where(w => w.Token < mark)]
                : [];
        }

        foreach (var waiter in stale)
        {
            waiter.Owner.Leave(waiter, PlaceStatus.Stale);
        }
    }
}
