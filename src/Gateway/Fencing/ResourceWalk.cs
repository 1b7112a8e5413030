using System.Globalization;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Where a walk through all resources stands, a page at a time, the most recently advanced first. One that advances
/// meanwhile goes to the front, where the walk has passed already. So at its end the walk goes once more through those
/// that have advanced since it began, and so on until they fit into one page. Such a resource may come twice; none that
/// was there at the begin is left out.
/// </summary>
/// <param name="Before">Goes on below this sequence; <see cref="long.MaxValue"/> at the begin of a round.</param>
/// <param name="Since">The round takes what has advanced after this; 0 in the first, which takes everything.</param>
/// <param name="Top">Where the next round goes back to: the newest sequence before this one began.</param>
internal readonly record struct ResourceWalk(long Before, long Since, long Top)
{
    /// <summary>A walk that has not begun.</summary>
    public static ResourceWalk Begin { get; } = new(long.MaxValue, 0, 0);

    /// <summary>Reads the next page.</summary>
    /// <param name="list">Asks the store.</param>
    /// <param name="prefix">Only keys that begin with it.</param>
    /// <param name="limit">At most so many.</param>
    /// <returns>The page, and where the walk goes on; null at its end.</returns>
    public async ValueTask<(List<MarkRecord> Page, ResourceWalk? Next)> ReadAsync(
        Func<MarkQuery, ValueTask<IReadOnlyList<MarkRecord>>> list, string prefix, int limit)
    {
        List<MarkRecord> page = [];
        var walk = this;
        while (page.Count < limit)
        {
            var (isBegin, since, asked) = (walk.Before == long.MaxValue, walk.Since, limit - page.Count);
            var read = await list(new MarkQuery(prefix, walk.Before, asked));
            if (isBegin && read.Count == asked && read[^1].Sequence > since)
            {
                // More than a page. Not every store reads one at an instant: what advances while this one is read is
                // above the one before.
                walk = walk with { Top = read[0].Sequence };
                read = await list(new MarkQuery(prefix, walk.Before, asked));
            }

            page.AddRange(read.TakeWhile(record => record.Sequence > since));
            if (read.Count == asked && read[^1].Sequence > since)
            {
                walk = walk with { Before = read[^1].Sequence };
            }
            else if (isBegin)
            {
                return (page, null);
            }
            else
            {
                walk = new ResourceWalk(long.MaxValue, walk.Top, 0);
            }
        }

        return (page, walk);
    }

    /// <summary>Takes what <see cref="ToString"/> gave.</summary>
    public static bool TryParse(string text, out ResourceWalk walk)
    {
        walk = Begin;
        Span<long> numbers = stackalloc long[3];
        var count = 0;
        foreach (var part in text.AsSpan().Split('-'))
        {
            if (count == numbers.Length
                || !long.TryParse(
                    text.AsSpan(part), NumberStyles.None, CultureInfo.InvariantCulture, out numbers[count++]))
            {
                return false;
            }
        }

        walk = new ResourceWalk(numbers[0], numbers[1], numbers[2]);
        return count == numbers.Length && walk.Before > 0;
    }

    /// <summary>The cursor that a client gets.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Before}-{Since}-{Top}");
}
