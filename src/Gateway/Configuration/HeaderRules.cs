using System.Buffers;
using System.Collections.Frozen;

namespace FenceGateway.Gateway.Configuration;

/// <summary>Which header names the configuration may give.</summary>
internal static class HeaderRules
{
    /// <summary>RFC 9110, section 5.6.2.</summary>
    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>As services see them: what looks like one of them is taken as well.</summary>
    private static readonly FrozenSet<string> Taken = new[]
    {
        // Hop by hop: they end at the next proxy.
        "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
        "Transfer-Encoding", "Upgrade", "HTTP2-Settings",
        // They mean something else to every server.
        "Accept", "Accept-Encoding", "Authorization", "Content-Encoding", "Content-Length", "Content-Type", "Cookie",
        "Date",
        "Destination", "Expect", "Host", "If-Match", "If-None-Match", "Origin", "Range", "Referer", "Set-Cookie",
        "User-Agent",
        // Proxies write them.
        "Forwarded", "Proxy-Status", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Prefix",
        "X-Forwarded-Proto",
        "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override",
    }.Select(Folded).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>What is wrong with <paramref name="name"/>, or null.</summary>
    public static string? Check(string name) =>
        !IsName(name)
            ? $"is '{name}', which is no header name (letters, digits and !#$%&'*+-.^_`|~)"
        : Taken.Contains(Folded(name)) ? $"is '{name}', a header with a meaning of its own"
        : null;

    /// <summary>Whether <paramref name="name"/> can be a header's name at all.</summary>
    public static bool IsName(string name) => name.Length > 0 && !name.AsSpan().ContainsAnyExcept(TokenCharacters);

    /// <summary>
    /// The form in which CGI, WSGI, PHP and others see the name: capital letters, digits, and '_' for everything else.
    /// </summary>
    public static string Folded(string name) => string.Create(name.Length, name, static (folded, name) =>
    {
        for (var i = 0; i < folded.Length; i++)
        {
            folded[i] = Fold(name[i]);
        }
    });

    /// <summary>Whether two names have the same <see cref="Folded"/> form.</summary>
    public static bool LookAlike(ReadOnlySpan<char> one, ReadOnlySpan<char> other)
    {
        if (one.Length != other.Length)
        {
            return false;
        }

        for (var i = 0; i < one.Length; i++)
        {
            if (Fold(one[i]) != Fold(other[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static char Fold(char c) => char.IsAsciiLetterOrDigit(c) ? char.ToUpperInvariant(c) : '_';
}
