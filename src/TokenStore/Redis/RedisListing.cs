using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>Pages of resources, from the index of the latest changes.</summary>
internal static class RedisListing
{
    /// <summary>So many names are read at once; a prefix that few have costs as many round trips as the index has such parts.</summary>
    public const int Part = 1000;

    /// <summary>The scores of a sorted set are exact up to here.</summary>
    public const long Exact = 1L << 53;

    public static async ValueTask<IReadOnlyList<MarkRecord>> ListAsync(
        RedisLink link, RedisKeys keys, MarkQuery query, CancellationToken cancellationToken)
    {
        List<ResourceKey> found = [];
        var before = query.Before > Exact ? double.PositiveInfinity : query.Before;
        while (found.Count < query.Limit)
        {
            var last = before;
            var names = await link.AskAsync(
                () => link.Database.SortedSetRangeByScoreWithScoresAsync(
                    keys.Index, double.NegativeInfinity, last, Exclude.Stop, Order.Descending, 0, Part, RedisLink.Master),
                cancellationToken);
            foreach (var name in names)
            {
                if (found.Count < query.Limit && ResourceKey.TryCreate(name.Element, out var resource)
                    && resource.Value.StartsWith(query.Prefix, StringComparison.Ordinal))
                {
                    found.Add(resource);
                }
            }

            if (names.Length < Part)
            {
                break;
            }

            before = names[^1].Score;
        }

        var records = await Task.WhenAll(
            found.Select(resource => MarkScripts.FindAsync(link, keys, resource, cancellationToken).AsTask()));
        // A mark that changed meanwhile belongs to an earlier page.
        return [.. records.OfType<MarkRecord>().Where(record => record.Sequence < query.Before).OrderByDescending(record => record.Sequence)];
    }
}
