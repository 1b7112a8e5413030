using System.Buffers;
using FenceGateway.Gateway.Configuration;
using Microsoft.Extensions.Primitives;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Finds headers that a service of the CGI kind takes for one of given names: it sees letters and digits only, and '_'
/// for every other character (RFC 3875, section 4.1.18, and what WSGI, PHP and others made of it). Looks at every
/// header once and does not allocate.
/// </summary>
internal static class HeaderLookalikes
{
    /// <summary>
    /// The first header with another name than <paramref name="names"/> that may be taken for one of them; null when
    /// there is none.
    /// </summary>
    public static string? Find(IHeaderDictionary headers, ReadOnlySpan<string> names)
    {
        using var copy = new Copy(headers);
        foreach (var header in copy.Headers)
        {
            if (IsLookalike(header.Key, names))
            {
                return header.Key;
            }
        }

        return null;
    }

    /// <summary>
    /// Whether any header may be taken for one of <paramref name="refused"/>, or for one of <paramref name="known"/>
    /// without being it: the one pass that a usual request costs.
    /// </summary>
    /// <param name="headers">The headers.</param>
    /// <param name="known">Names that may stand there.</param>
    /// <param name="refused">Names that may not.</param>
    /// <param name="lengths">The <see cref="LengthsOf"/> all of these names.</param>
    public static bool Any(
        IHeaderDictionary headers, ReadOnlySpan<string> known, ReadOnlySpan<string> refused, ulong lengths)
    {
        using var copy = new Copy(headers);
        foreach (var header in copy.Headers)
        {
            if ((lengths & LengthOf(header.Key)) != 0
                && (IsLookalike(header.Key, known) || LooksLikeOneOf(header.Key, refused)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The lengths of some names, as bits: a look-alike is as long as what it looks like.</summary>
    public static ulong LengthsOf(ReadOnlySpan<string> names)
    {
        var lengths = 0UL;
        foreach (var name in names)
        {
            lengths |= LengthOf(name);
        }

        return lengths;
    }

    /// <summary>Removes all of them.</summary>
    public static void Remove(IHeaderDictionary headers, ReadOnlySpan<string> names)
    {
        using var copy = new Copy(headers);
        foreach (var header in copy.Headers)
        {
            if (IsLookalike(header.Key, names))
            {
                headers.Remove(header.Key);
            }
        }
    }

    // Shifts count modulo 64.
    private static ulong LengthOf(string name) => 1UL << name.Length;

    private static bool LooksLikeOneOf(string header, ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (HeaderRules.LookAlike(header, name))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsLookalike(string header, ReadOnlySpan<string> names)
    {
        var found = false;
        foreach (var name in names)
        {
            if (HeaderRules.LookAlike(header, name))
            {
                if (header.Equals(name, StringComparison.OrdinalIgnoreCase))
                {
                    return false;
                }

                found = true;
            }
        }

        return found;
    }

    /// <summary>The headers in a borrowed array: their own enumerator is an object.</summary>
    private readonly ref struct Copy
    {
        private readonly KeyValuePair<string, StringValues>[] _borrowed;
        private readonly int _count;

        public Copy(IHeaderDictionary headers)
        {
            _count = headers.Count;
            _borrowed = ArrayPool<KeyValuePair<string, StringValues>>.Shared.Rent(_count);
            headers.CopyTo(_borrowed, 0);
        }

        public ReadOnlySpan<KeyValuePair<string, StringValues>> Headers => _borrowed.AsSpan(0, _count);

        public void Dispose()
        {
            _borrowed.AsSpan(0, _count).Clear();
            ArrayPool<KeyValuePair<string, StringValues>>.Shared.Return(_borrowed);
        }
    }
}
