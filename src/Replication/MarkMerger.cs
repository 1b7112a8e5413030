using FenceGateway.Fencing;
using FenceGateway.TokenStore;
namespace FenceGateway.Replication;

/// <summary>
/// Raises marks here that are higher elsewhere. A change that was taken over costs nothing when it is read again.
/// </summary>
internal sealed class MarkMerger(
    string region, FenceTable fences, StoreClient own, MarkReplicatorOptions options, ReplicationMetrics metrics)
{
    /// <summary>Resources whose marks are remembered, twice at most; others are asked of the own store.</summary>
    private const int Capacity = 32_768;

    private const int Parallelism = 8;

    private readonly Lock _gate = new();
    private Dictionary<string, (long Mark, long Sequence)> _young = new(StringComparer.Ordinal);
    private Dictionary<string, (long Mark, long Sequence)> _old = new(StringComparer.Ordinal);
    private GatewaySession? _session;
    private long _merged;

    /// <summary>Marks raised since the start.</summary>
    public long Merged => Interlocked.Read(ref _merged);

    /// <summary>Makes sure that all these marks stand here as well.</summary>
    /// <exception cref="MergeFailedException">The own store cannot tell of some; the others stand.</exception>
    public async Task MergeAsync(IEnumerable<MarkRecord> records, CancellationToken cancellationToken)
    {
        var wanted = records.Where(r => r.Mark > 0 && !IsKnown(r)).ToList();
        string? fault = null;
        await Parallel.ForEachAsync(
            wanted,
            new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (record, token) => fault = await TryMergeAsync(record, token) ?? fault);
        if (fault is not null)
        {
            throw new MergeFailedException(fault);
        }
    }

    /// <summary>Every mark is looked at again when it is next read.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            _young.Clear();
            _old.Clear();
        }
    }

    /// <summary>
    /// Whether this gateway has begun a session since the last time: the own store may have come back with other data.
    /// </summary>
    public bool SessionIsNew()
    {
        var before = _session;
        _session = own.Current;
        return !ReferenceEquals(before, _session);
    }

    /// <summary>Null, or why the own store cannot tell.</summary>
    private async Task<string?> TryMergeAsync(MarkRecord record, CancellationToken cancellationToken)
    {
        try
        {
            // Another gateway of this region may have been faster; that is a read instead of a step. The store's word
            // counts, and not this gateway's memory: the mark may have been lowered there.
            if (!((await own.FindAsync(record.Resource, cancellationToken))?.Mark >= record.Mark))
            {
                if (fences.Inspect(record.Resource)?.Mark > record.Mark)
                {
                    // It would be refused from memory, until the fence is forgotten: not yet known to stand.
                    return null;
                }

                var token = new FencingToken(record.Mark);
                if (await fences.MergeAsync(
                        record.Resource, token, options.InDoubtHold(), cancellationToken) is { } fault)
                {
                    return fault;
                }

                _ = Interlocked.Increment(ref _merged);
                metrics.Merged(region);
            }
        }
        catch (TokenStoreUnavailableException e)
        {
            return e.Message;
        }

        Remember(record);
        return null;
    }

    /// <summary>
    /// Whether this very change has been taken over. The same mark once more is another one: it was lowered in between.
    /// </summary>
    private bool IsKnown(MarkRecord record)
    {
        lock (_gate)
        {
            return (
                _young.TryGetValue(record.Resource.Value, out var known)
                    || _old.TryGetValue(record.Resource.Value, out known))
                && known == (record.Mark, record.Sequence);
        }
    }

    private void Remember(MarkRecord record)
    {
        lock (_gate)
        {
            if (_young.Count >= Capacity)
            {
                (_old, _young) = (_young, new Dictionary<string, (long Mark, long Sequence)>(StringComparer.Ordinal));
            }

            _young[record.Resource.Value] = (record.Mark, record.Sequence);
        }
    }
}

/// <summary>A mark could not be raised here.</summary>
internal sealed class MergeFailedException(string message) : Exception(message);
