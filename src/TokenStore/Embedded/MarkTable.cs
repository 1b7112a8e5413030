using System.Runtime.CompilerServices;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// The marks of all resources in memory. A key's hash picks a stripe, each with a lock and a growth of its own:
/// whatever one stripe does stalls a 1024th of the resources, for less than a millisecond at ten million.
/// </summary>
internal sealed class MarkTable(long maxResources)
{
    private const int StripeCount = 1024;

    private readonly MarkStripe[] _stripes = [.. Enumerable.Range(0, StripeCount).Select(_ => new MarkStripe())];
    private long _count;

    public long Count => Volatile.Read(ref _count);

    public long MaxResources => maxResources;

    public ReadOnlySpan<MarkStripe> Stripes => _stripes;

    public MarkStripe StripeOf(uint hash) => _stripes[hash & (StripeCount - 1)];

    /// <summary>Takes a place for a new resource and makes room for it in the stripe, under its lock.</summary>
    /// <exception cref="TokenStoreUnavailableException">There are as many resources as may be.</exception>
    public void ReserveLocked(MarkStripe stripe, int keyBytes)
    {
        if (Interlocked.Increment(ref _count) > maxResources || stripe.Count == MarkStripe.MaxEntries)
        {
            Release();
            throw new TokenStoreUnavailableException(
                $"The token store is full: {maxResources} resources have a mark, and a mark is never forgotten. Raise "
                    + "MaxResources.");
        }

        stripe.Reserve(keyBytes);
    }

    /// <summary>Gives back a place that was taken and not used.</summary>
    public void Release() => Interlocked.Decrement(ref _count);

    /// <summary>
    /// Takes over what the disk knows. A snapshot is taken while marks move, so the log repeats changes that it already
    /// has: a change is applied only if it is later than the one known, which is exact for lowered marks as well.
    /// </summary>
    /// <returns>False when the record contradicts what is known: an advance that would lower a mark.</returns>
    [SkipLocalsInit]
    public bool Recover(in LogRecord record)
    {
        Span<char> chars = stackalloc char[KeyText.MaxBytes];
        var key = chars[..KeyText.Decode(record.Key, chars)];
        var hash = KeyText.Hash(key);
        var stripe = StripeOf(hash);
        lock (stripe.Gate)
        {
            var number = stripe.Find(key, hash);
            if (number < 0)
            {
                // More than MaxResources may be on disk when the setting was lowered; marks are never dropped (R11).
                Interlocked.Increment(ref _count);
                stripe.Reserve(record.Key.Length);
                number = stripe.Add(record.Key, hash);
            }

            ref var entry = ref stripe[number];
            if (record.Lsn <= entry.Lsn)
            {
                return true;
            }

            if (record.Kind == RecordKind.Advance && record.Mark < entry.Mark)
            {
                return false;
            }

            entry.Mark = record.Mark;
            entry.Lsn = record.Lsn;
            entry.ChangedAt = record.At;
            entry.Flags = (record.Flags & MarkFlags.Contended) | MarkFlags.Recovered;
            return true;
        }
    }
}
