using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace FenceGateway.TokenStore;

/// <summary>
/// The fences of active resources and, up to a capacity, of idle ones. An idle fence is evicted in clock order (second
/// chance) and rebuilt from the store when its resource is next touched; one that something depends on never is.
/// </summary>
internal sealed class FenceCache
{
    private const int EvictionsPerInsert = 8;
    private readonly ConcurrentDictionary<string, ResourceFence> _fences = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ResourceFence>.AlternateLookup<ReadOnlySpan<char>> _byKey;
    private readonly StoreClient _client;
    private readonly TimeProvider _time;
    private readonly int _capacity;
    private readonly Action<ResourceFence> _withdraw;
    private readonly Lock _evictionGate = new();
    private IEnumerator<KeyValuePair<string, ResourceFence>>? _hand;
    private int _count;
    private volatile bool _closed;

    /// <param name="client">Its store knows marks.</param>
    /// <param name="time">The clock of holds.</param>
    /// <param name="capacity">So many fences before idle ones are evicted.</param>
    /// <param name="withdraw">Takes back the registration of a fence, if nothing depends on it.</param>
    public FenceCache(StoreClient client, TimeProvider time, int capacity, Action<ResourceFence> withdraw)
    {
        _withdraw = withdraw;
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _client = client;
        _time = time;
        _capacity = capacity;
        _byKey = _fences.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public int Count => Volatile.Read(ref _count);

    public ResourceFence Get(ReadOnlySpan<char> key)
    {
        if (_byKey.TryGetValue(key, out var fence) && !_closed)
        {
            if (!fence.Touched)
            {
                fence.Touched = true;
            }

            return fence;
        }

        return Add(key);
    }

    public bool TryFind(ResourceKey resource, [NotNullWhen(true)] out ResourceFence? fence) =>
        _fences.TryGetValue(resource.Value, out fence);

    public IEnumerable<ResourceFence> All => _fences.Select(static entry => entry.Value);

    /// <summary>From now on nothing is admitted: fences in use refuse, and no new ones are made.</summary>
    public void Close()
    {
        _closed = true;
        foreach (var fence in All)
        {
            fence.Change(() => fence.StateLocked.Retire());
        }
    }

    /// <summary>Forgets what is known of a resource, so that it is asked of the store again.</summary>
    public void Drop(ResourceFence fence)
    {
        fence.Change(() => fence.StateLocked.Retire());
        Remove(fence);
    }

    /// <summary>The same, if nothing depends on it.</summary>
    public bool TryForget(ResourceFence fence, long now)
    {
        TaskCompletionSource? signal;
        lock (fence.Gate)
        {
            if (!fence.TryRetireLocked(now))
            {
                return false;
            }

            signal = fence.TakeSignalLocked();
        }

        Remove(fence);

        // Whoever still waits at this fence looks it up again; mostly nobody does any more.
        signal?.TrySetResult();
        return true;
    }

    private void Remove(ResourceFence fence)
    {
        if (_fences.TryRemove(new KeyValuePair<string, ResourceFence>(fence.Resource.Value, fence)))
        {
            Interlocked.Decrement(ref _count);
        }
    }

    private ResourceFence Add(ReadOnlySpan<char> key)
    {
        if (!ResourceKey.TryCreate(key.ToString(), out var resource))
        {
            throw new ArgumentException("Not a resource key.", nameof(key));
        }

        ThrowIfClosed();
        if (Count >= _capacity)
        {
            Evict();
        }

        if (Count >= 2L * _capacity)
        {
            throw new TokenStoreUnavailableException(_client.Fault is { } fault
                ? $"There is no room for another resource: the {Count} that are held cannot be let go while the token "
                    + $"store is away. {fault}"
                : $"There is no room for another resource: {Count} have writes in flight or in doubt, or are "
                    + $"registered in the token store, at once. Raise TokenStore:MaxActiveResources ({_capacity}).");
        }

        var added = new ResourceFence(resource, _client.Store.PeekMark(resource));
        var fence = _fences.GetOrAdd(resource.Value, added);
        if (ReferenceEquals(fence, added))
        {
            Interlocked.Increment(ref _count);

            // Another fence of this resource may have lived and gone since the mark was read: from here on all goes
            // through this one.
            lock (fence.Gate)
            {
                fence.StateLocked.Learn(_client.Store.PeekMark(resource));
            }
        }

        ThrowIfClosed();
        return fence;
    }

    private void ThrowIfClosed()
    {
        if (_closed)
        {
            throw TokenStoreUnavailableException.NothingTaken("The gateway has stopped admitting.");
        }
    }

    /// <summary>
    /// Moves the hand over a few fences and takes out the idle ones that were not touched since it last came by.
    /// </summary>
    private void Evict()
    {
        if (!_evictionGate.TryEnter())
        {
            return;
        }

        try
        {
            var now = _time.GetTimestamp();
            for (var i = 0; i < EvictionsPerInsert; i++)
            {
                _hand ??= _fences.GetEnumerator();
                if (!_hand.MoveNext())
                {
                    _hand.Dispose();
                    _hand = null;
                    continue;
                }

                EvictIdle(_hand.Current, now);
            }
        }
        finally
        {
            _evictionGate.Exit();
        }
    }

    private void EvictIdle(KeyValuePair<string, ResourceFence> entry, long now)
    {
        var fence = entry.Value;
        if (fence.Touched)
        {
            fence.Touched = false;
            return;
        }

        if (!TryForget(fence, now))
        {
            // Goes when the hand comes by again.
            _withdraw(fence);
        }
    }
}
