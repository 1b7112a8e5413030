using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>Pages of resources, from the index of the latest changes.</summary>
internal static class RedisListing
{
    /// <summary>
    /// So many names are read at once; a prefix that few have costs as many round trips as the index has such parts.
    /// </summary>
    public const int Part = 1000;

    /// <summary>The scores of a sorted set are exact up to here.</summary>
    public const long Exact = 1L << 53;

    public static async ValueTask<IReadOnlyList<MarkRecord>> ListAsync(
        RedisLink link, RedisKeys keys, MarkQuery query, CancellationToken cancellationToken)
    {
        Dictionary<ResourceKey, long> found = [];
        var above = double.NegativeInfinity;
        for (double? newest = 0; newest is not null && found.Count < query.Limit; above = newest ?? above)
        {
            newest = await ReadAsync(link, keys, query, above, found, cancellationToken);
        }

        // A mark that changed since the index was read stands where it stood there: a page has no gaps.
        var records = await Task.WhenAll(found.Select(async name =>
            await MarkScripts.FindAsync(link, keys, name.Key, cancellationToken) is { } record
                ? record with { Sequence = name.Value }
                : (MarkRecord?)null));
        return [.. records.OfType<MarkRecord>().OrderByDescending(record => record.Sequence)];
    }

    /// <summary>
    /// Reads the index downwards, as far as it is needed. What changes between two parts goes where the first was read:
    /// then it returns where that began, since whatever is above is to be read as well.
    /// </summary>
    private static async ValueTask<double?> ReadAsync(
        RedisLink link, RedisKeys keys, MarkQuery query, double above, Dictionary<ResourceKey, long> found,
        CancellationToken cancellationToken)
    {
        double? newest = null;
        for (var before = query.Before > Exact ? double.PositiveInfinity : query.Before; found.Count < query.Limit;)
        {
            var last = before;
            var names = await link.AskAsync(
                () => link.Database.SortedSetRangeByScoreWithScoresAsync(
                    keys.Index, above, last, Exclude.Both, Order.Descending, 0, Part, RedisLink.Master),
                cancellationToken);
            foreach (var name in names)
            {
                if (found.Count < query.Limit && ResourceKey.TryCreate(name.Element, out var resource)
                    && resource.Value.StartsWith(query.Prefix, StringComparison.Ordinal))
                {
                    found[resource] = (long)name.Score;
                }
            }

            if (names.Length < Part)
            {
                return newest;
            }

            newest ??= names[0].Score;
            before = names[^1].Score;
        }

        return null;
    }
}
