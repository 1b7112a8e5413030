using System.Collections.Concurrent;
using FenceGateway.Fencing;

namespace FenceGateway.TokenStore;

/// <summary>
/// The fence of one gateway in front of a <see cref="ITokenStore"/>: admits, refuses, drains (rules R1–R8). A steady write, one
/// whose token this gateway has entered with, costs one look-up and one uncontended lock and never asks the store.
/// </summary>
/// <remarks>
/// Safe for use by several threads. Holds the fences of active resources and, up to its capacity, of idle ones; an idle fence is
/// evicted in clock order (second chance) and rebuilt from the store when its resource is next touched.
/// </remarks>
public sealed class FenceTable
{
    private const int EvictionsPerInsert = 8;
    private readonly ConcurrentDictionary<string, ResourceFence> _fences = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ResourceFence>.AlternateLookup<ReadOnlySpan<char>> _byKey;
    private readonly ITokenStore _store;
    private readonly TimeProvider _time;
    private readonly int _capacity;
    private readonly Lock _evictionGate = new();
    private IEnumerator<KeyValuePair<string, ResourceFence>>? _hand;
    private readonly FenceAdmission _admission;
    private int _count;

    /// <summary>Makes the table.</summary>
    /// <param name="store">An open store.</param>
    /// <param name="time">The clock for holds and time-outs.</param>
    /// <param name="capacity">How many resources it holds before it evicts idle ones; at twice as many it refuses new ones.</param>
    public FenceTable(ITokenStore store, TimeProvider time, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _store = store;
        _time = time;
        _capacity = capacity;
        _admission = new FenceAdmission(store, time, this);
        _byKey = _fences.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Resources held now.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>The fence of a resource; its <see cref="ResourceFence.Mark"/> is as the store's memory knows it.</summary>
    /// <param name="key">A valid key (<see cref="ResourceKey.IsValid"/>).</param>
    /// <exception cref="TokenStoreUnavailableException">Too many resources are active at once.</exception>
    public ResourceFence Get(ReadOnlySpan<char> key)
    {
        if (_byKey.TryGetValue(key, out var fence))
        {
            if (!fence.Touched)
            {
                fence.Touched = true;
            }

            return fence;
        }

        return Add(key);
    }

    /// <summary>
    /// Decides at once where memory alone can tell: the steady token of this gateway is admitted, a token known to be stale is
    /// refused. False when the store has to be asked or older writes awaited: <see cref="AdmitAsync"/>.
    /// </summary>
    /// <param name="fence">From <see cref="Get"/>.</param>
    /// <param name="token">The token presented.</param>
    /// <param name="isWrite">Whether it is in flight afterwards; a read is only ordered.</param>
    /// <param name="admission">The decision.</param>
    public static bool TryAdmit(ResourceFence fence, FencingToken token, bool isWrite, out Admission admission)
    {
        lock (fence.Gate)
        {
            if (fence.HasEnteredLocked(token.Value))
            {
                if (isWrite)
                {
                    fence.Active.Begin(token.Value);
                }

                admission = new Admission(AdmissionStatus.Admitted, fence, token.Value);
                return true;
            }
        }

        var mark = fence.Mark;
        admission = new Admission(AdmissionStatus.Stale, fence, mark);
        return token.Value < mark;
    }

    /// <summary>
    /// Admits a write or a read, as the last step before it is forwarded: seals, drains, admits, or says why not. Waits at most
    /// for the drain time-out of <paramref name="rules"/>.
    /// </summary>
    /// <param name="fence">From <see cref="Get"/>; the answer names the one that decided, which may be a newer one.</param>
    /// <param name="token">The token presented.</param>
    /// <param name="isWrite">Whether it is in flight afterwards; a read is only ordered.</param>
    /// <param name="rules">The policy's rules.</param>
    /// <param name="cancellationToken">Stops the wait, with <see cref="OperationCanceledException"/>; nothing is in flight then.</param>
    public ValueTask<Admission> AdmitAsync(
        ResourceFence fence, FencingToken token, bool isWrite, AdmissionRules rules, CancellationToken cancellationToken) =>
        _admission.AdmitAsync(fence, token, isWrite, rules, cancellationToken);

    /// <summary>Advances the mark after a success, for <see cref="AdmissionRules.AdvanceOnSuccess"/>. Null, or why it could not.</summary>
    public async ValueTask<string?> AdvanceAsync(
        ResourceFence fence, FencingToken token, AdmissionRules rules, CancellationToken cancellationToken)
    {
        if (fence.Mark >= token.Value)
        {
            return null;
        }

        var admission = await _admission.AdmitAsync(fence, token, isWrite: false, rules.SealOnly, cancellationToken);
        return admission.Fault;
    }

    /// <summary>An admitted write has ended: the service answered, or it was never sent.</summary>
    public static void End(ResourceFence fence, FencingToken token)
    {
        TaskCompletionSource? signal;
        lock (fence.Gate)
        {
            signal = fence.Active.End(token.Value) ? fence.TakeSignalLocked() : null;
        }

        signal?.TrySetResult();
    }

    /// <summary>The end of an admitted write is unknown: it holds newer tokens back for <paramref name="hold"/>.</summary>
    public static void EndInDoubt(ResourceFence fence, FencingToken token, TimeSpan hold, TimeProvider time)
    {
        TaskCompletionSource? signal;
        lock (fence.Gate)
        {
            signal = fence.Active.EndInDoubt(token.Value, time.After(hold)) ? fence.TakeSignalLocked() : null;
        }

        signal?.TrySetResult();
    }

    /// <summary>What this gateway knows of a resource; null when it holds nothing of it.</summary>
    public ResourceSnapshot? Inspect(ResourceKey resource)
    {
        if (!_fences.TryGetValue(resource.Value, out var fence))
        {
            return null;
        }

        var now = _time.GetTimestamp();
        lock (fence.Gate)
        {
            fence.Active.Sweep(now);
            var inDoubt = fence.Active.InDoubt.Select(w => (new FencingToken(w.Token), _time.GetElapsedTime(now, w.Until))).ToArray();
            return new ResourceSnapshot(fence.Mark, fence.Active.InFlight, inDoubt);
        }
    }

    /// <summary>Writes in flight and in doubt over all resources; for gauges and for the end of the process.</summary>
    public (int InFlight, int InDoubt) CountActive()
    {
        var (inFlight, inDoubt, now) = (0, 0, _time.GetTimestamp());
        foreach (var (_, fence) in _fences)
        {
            lock (fence.Gate)
            {
                fence.Active.Sweep(now);
                inFlight += fence.Active.InFlight;
                inDoubt += fence.Active.InDoubt.Count;
            }
        }

        return (inFlight, inDoubt);
    }

    /// <summary>An operator's mark, higher or lower, while nothing is in flight or in doubt (R11).</summary>
    /// <exception cref="TokenStoreUnavailableException">It may or may not have been changed.</exception>
    public async ValueTask<OperatorStatus> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        var fence = Get(request.Resource.Value);
        lock (fence.Gate)
        {
            if (!fence.TryBeginOperationLocked(_time.GetTimestamp()))
            {
                return OperatorStatus.Busy;
            }
        }

        try
        {
            await _store.SetMarkAsync(request, cancellationToken);
        }
        catch (Exception e)
        {
            Finish(fence, () => fence.FailLocked(e.Message));
            throw;
        }

        Finish(fence, () => fence.EndSetMarkLocked(request.Mark));
        return OperatorStatus.Done;
    }

    /// <summary>An operator's word that nothing in doubt at this gateway can be applied any more. How many writes that ended.</summary>
    public int Resolve(ResourceKey resource)
    {
        if (!_fences.TryGetValue(resource.Value, out var fence))
        {
            return 0;
        }

        var resolved = 0;
        Finish(fence, () =>
        {
            resolved = fence.Active.InDoubt.Count;
            fence.Active.Resolve();
        });
        return resolved;
    }

    internal static void Finish(ResourceFence fence, Action changeLocked)
    {
        TaskCompletionSource? signal;
        lock (fence.Gate)
        {
            changeLocked();
            signal = fence.TakeSignalLocked();
        }

        signal?.TrySetResult();
    }

    private ResourceFence Add(ReadOnlySpan<char> key)
    {
        if (!ResourceKey.TryCreate(key.ToString(), out var resource))
        {
            throw new ArgumentException("Not a resource key.", nameof(key));
        }

        if (Count >= _capacity)
        {
            Evict();
        }

        if (Count >= 2L * _capacity)
        {
            throw new TokenStoreUnavailableException(
                $"{Count} resources have writes in flight or in doubt at once; raise TokenStore:MaxActiveResources.");
        }

        var added = new ResourceFence(resource, _store.PeekMark(resource));
        var fence = _fences.GetOrAdd(resource.Value, added);
        if (ReferenceEquals(fence, added))
        {
            Interlocked.Increment(ref _count);
        }

        return fence;
    }

    /// <summary>Moves the hand over a few fences and takes out the idle ones that were not touched since it last came by.</summary>
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

        lock (fence.Gate)
        {
            if (!fence.TryRetireLocked(now))
            {
                return;
            }
        }

        if (_fences.TryRemove(entry))
        {
            Interlocked.Decrement(ref _count);
        }
    }
}
