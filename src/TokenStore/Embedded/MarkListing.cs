namespace FenceGateway.TokenStore.Embedded;

/// <summary>Pages of resources, the most recently advanced first.</summary>
internal static class MarkListing
{
    /// <summary>
    /// Looks at every entry, a few hundred at a time under their lock, and keeps the latest ones in a bounded heap.
    /// </summary>
    /// <param name="table">The marks.</param>
    /// <param name="hold">Says which of them a process before may have left writes for.</param>
    /// <param name="query">What is asked.</param>
    /// <param name="upTo">Entries changed after this LSN are left out.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    public static IReadOnlyList<MarkRecord> List(
        MarkTable table, CrashHold hold, in MarkQuery query, long upTo, CancellationToken cancellationToken)
    {
        MarkQuery.ThrowIfInvalid(in query);
        var prefix = Encoding.UTF8.GetBytes(query.Prefix ?? "");
        var latest = new PriorityQueue<(MarkStripe Stripe, MarkEntry Entry), long>(query.Limit + 1);
        foreach (var stripe in table.Stripes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (var from = 0; ScanChunk(stripe, ref from, prefix, in query, upTo, latest);)
            {
            }
        }

        var page = new MarkRecord[latest.Count];
        for (var i = page.Length - 1; i >= 0; i--)
        {
            var (stripe, entry) = latest.Dequeue();
            page[i] = ToRecord(stripe, in entry, hold);
        }

        return page;
    }

    private static bool ScanChunk(
        MarkStripe stripe, ref int from, ReadOnlySpan<byte> prefix, in MarkQuery query, long upTo,
        PriorityQueue<(MarkStripe Stripe, MarkEntry Entry), long> latest)
    {
        lock (stripe.Gate)
        {
            var end = Math.Min(stripe.Count, from + MarkStripe.ChunkEntries);
            for (; from < end; from++)
            {
                ref var entry = ref stripe[from];
                if (entry.Lsn >= query.Before || entry.Lsn > upTo
                    || (latest.Count == query.Limit && latest.TryPeek(out _, out var oldest) && entry.Lsn < oldest)
                    || !stripe.KeyOf(in entry).StartsWith(prefix))
                {
                    continue;
                }

                latest.Enqueue((stripe, entry), entry.Lsn);
                if (latest.Count > query.Limit)
                {
                    latest.Dequeue();
                }
            }

            return from < stripe.Count;
        }
    }

    private static MarkRecord ToRecord(MarkStripe stripe, in MarkEntry entry, CrashHold hold)
    {
        lock (stripe.Gate)
        {
            return new MarkRecord(
                KeyText.ToKey(stripe.KeyOf(in entry)), entry.Mark,
                DateTimeOffset.FromUnixTimeMilliseconds(entry.ChangedAt), entry.Lsn, hold.Writers(in entry));
        }
    }
}
