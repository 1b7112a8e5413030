using System.Buffers;
using FenceGateway.Gateway.Configuration;
using Microsoft.Extensions.Primitives;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Finds headers that a service of the CGI kind takes for one of given names: it sees letters and digits only, and '_' for every other
/// character (RFC 3875, section 4.1.18, and what WSGI, PHP and others made of it). Looks at every header once and does not allocate.
/// </summary>
internal static class HeaderLookalikes
{
    /// <summary>The first header with another name than <paramref name="names"/> that may be taken for one of them; null when there is none.</summary>
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
