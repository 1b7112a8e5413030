using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Replication;

/// <summary>Raises marks here that are higher elsewhere. What is known to be high enough costs nothing.</summary>
internal sealed class MarkMerger(
    string region, FenceTable fences, GatewaySession own, MarkReplicatorOptions options, ReplicationMetrics metrics)
{
    /// <summary>Resources whose marks are remembered, twice at most; others are asked of the own store.</summary>
    private const int Capacity = 32_768;

    private const int Parallelism = 8;

    private readonly Lock _gate = new();
    private Dictionary<string, long> _young = new(StringComparer.Ordinal);
    private Dictionary<string, long> _old = new(StringComparer.Ordinal);
    private long _merged;

    /// <summary>Marks raised since the start.</summary>
    public long Merged => Interlocked.Read(ref _merged);

    /// <summary>Makes sure that all these marks stand here as well.</summary>
    /// <exception cref="MergeFailedException">The own store cannot tell of some; the others stand.</exception>
    public async Task MergeAsync(IEnumerable<MarkRecord> records, CancellationToken cancellationToken)
    {
        var wanted = records.Where(r => r.Mark > 0 && !IsKnown(r.Resource.Value, r.Mark)).ToList();
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

    /// <summary>Null, or why the own store cannot tell.</summary>
    private async Task<string?> TryMergeAsync(MarkRecord record, CancellationToken cancellationToken)
    {
        try
        {
            // Another gateway of this region may have been faster; that is a read instead of a step.
            if (!(fences.Inspect(record.Resource)?.Mark >= record.Mark)
                && !((await own.FindAsync(record.Resource, cancellationToken))?.Mark >= record.Mark))
            {
                var token = new FencingToken(record.Mark);
                if (await fences.MergeAsync(record.Resource, token, options.InDoubtHold(), cancellationToken) is { } fault)
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

        Remember(record.Resource.Value, record.Mark);
        return null;
    }

    private bool IsKnown(string resource, long mark)
    {
        lock (_gate)
        {
            return (_young.TryGetValue(resource, out var known) || _old.TryGetValue(resource, out known)) && known >= mark;
        }
    }

    private void Remember(string resource, long mark)
    {
        lock (_gate)
        {
            if (_young.Count >= Capacity)
            {
                (_old, _young) = (_young, new Dictionary<string, long>(StringComparer.Ordinal));
            }

            _young[resource] = mark;
        }
    }
}

/// <summary>A mark could not be raised here.</summary>
internal sealed class MergeFailedException(string message) : Exception(message);
