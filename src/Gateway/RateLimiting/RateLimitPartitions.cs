using System.Collections.Concurrent;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// The partitions of one policy, at most as many as it allows. At the bound a new key takes the place of a partition
/// that has all of its permits; while none is found, all new keys share one. Nobody is without a limit, and nobody is
/// refused for being new.
/// </summary>
internal sealed class RateLimitPartitions
{
    /// <summary>
    /// How many partitions a new key looks at for a place: an attacker's cost stays small, and the hand goes round.
    /// </summary>
    private const int Search = 8;

    private readonly RateLimitPolicy _policy;
    private readonly TimeProvider _time;
    private readonly RateLimitPartition _overflow;
    private readonly RateLimitPartition? _single;
    private readonly ConcurrentDictionary<string, RateLimitPartition> _partitions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, RateLimitPartition>.AlternateLookup<ReadOnlySpan<char>> _byKey;
    private readonly Lock _changing = new();
    private readonly List<RateLimitPartition> _ring = [];
    private int _count;
    private int _hand;
    private int _reported;

    public RateLimitPartitions(RateLimitPolicy policy, TimeProvider time)
    {
        (_policy, _time) = (policy, time);
        _byKey = _partitions.GetAlternateLookup<ReadOnlySpan<char>>();
        _overflow = new RateLimitPartition("", policy.CreateLimiter(time));
        _single = policy.PartitionBy.Parts.Count == 0 ? _overflow : null;
    }

    /// <summary>How many partitions there are, without the one that new keys share.</summary>
    public int Count => _single is null ? Volatile.Read(ref _count) : 1;

    /// <summary>
    /// The partition of a request, which the caller has to <see cref="RateLimitPartition.Exit"/>. Allocates for a new
    /// key only.
    /// </summary>
    public RateLimitPartition Enter(HttpContext context, GatewayRequest request, out bool overflow)
    {
        overflow = false;
        if (_single is { } single)
        {
            _ = single.TryEnter();
            return single;
        }

        Span<char> key = stackalloc char[RateLimitKey.MaxLength];
        return Enter(key[.._policy.PartitionBy.Write(context, request, key)], out overflow);
    }

    /// <inheritdoc cref="Enter(HttpContext, GatewayRequest, out bool)"/>
    public RateLimitPartition Enter(ReadOnlySpan<char> key, out bool overflow)
    {
        if (_byKey.TryGetValue(key, out var partition) && partition.TryEnter())
        {
            overflow = false;
            return partition;
        }

        return EnterNew(key, out overflow);
    }

    /// <summary>True the first time.</summary>
    public bool ReportsOverflow() => Volatile.Read(ref _reported) == 0 && Interlocked.Exchange(ref _reported, 1) == 0;

    private RateLimitPartition EnterNew(ReadOnlySpan<char> key, out bool overflow)
    {
        lock (_changing)
        {
            // Whoever is found now stays: partitions are evicted under this lock only.
            if (!_byKey.TryGetValue(key, out var partition))
            {
                partition = AddLocked(key);
            }

            overflow = partition is null;
            partition ??= _overflow;
            _ = partition.TryEnter();
            return partition;
        }
    }

    private RateLimitPartition? AddLocked(ReadOnlySpan<char> key)
    {
        var place = _ring.Count;
        if (place == _policy.MaxPartitions && !TryFreeLocked(out place))
        {
            return null;
        }

        var partition = new RateLimitPartition(key.ToString(), _policy.CreateLimiter(_time));
        if (place == _ring.Count)
        {
            _ring.Add(partition);
            Volatile.Write(ref _count, _ring.Count);
        }
        else
        {
            _ring[place] = partition;
        }

        _partitions[partition.Key] = partition;
        return partition;
    }

    private bool TryFreeLocked(out int place)
    {
        for (var looked = 0; looked < Math.Min(Search, _ring.Count); looked++)
        {
            place = _hand;
            _hand = (_hand + 1) % _ring.Count;
            if (_ring[place].TryRetire())
            {
                _partitions.TryRemove(_ring[place].Key, out _);
                return true;
            }
        }

        place = -1;
        return false;
    }
}
