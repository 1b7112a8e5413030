using System.Buffers;
using System.Collections.Frozen;

namespace FenceGateway.Gateway.Configuration;

/// <summary>Which header names the configuration may give.</summary>
internal static class HeaderRules
{
    /// <summary>Every '-' and '_' doubles the spellings that a CGI-like service takes for one name; four give fifteen others.</summary>
    public const int MaxSeparators = 4;

    /// <summary>RFC 9110, section 5.6.2.</summary>
    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private static readonly FrozenSet<string> Taken = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        // Hop by hop: they end at the next proxy.
        "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
        "Transfer-Encoding", "Upgrade", "HTTP2-Settings",
        // They mean something else to every server.
        "Accept", "Accept-Encoding", "Authorization", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Date",
        "Destination", "Expect", "Host", "If-Match", "If-None-Match", "Origin", "Range", "Referer", "Set-Cookie", "User-Agent",
        // Proxies write them.
        "Forwarded", "Proxy-Status", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Proto",
        "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override");

    /// <summary>What is wrong with <paramref name="name"/>, or null.</summary>
    public static string? Check(string name) =>
        !IsName(name)
            ? $"is '{name}', which is no header name (letters, digits and !#$%&'*+-.^_`|~)"
        : Taken.Contains(name) ? $"is '{name}', a header with a meaning of its own"
        : name.Count(IsSeparator) > MaxSeparators ? $"is '{name}'; at most {MaxSeparators} '-' or '_' are possible"
        : null;

    /// <summary>Whether <paramref name="name"/> can be a header's name at all.</summary>
    public static bool IsName(string name) => name.Length > 0 && !name.AsSpan().ContainsAnyExcept(TokenCharacters);

    /// <summary>The form in which CGI, WSGI, PHP and others see the name, whether it was written with '-' or '_'.</summary>
    public static string Folded(string name) => name.Replace('-', '_').ToUpperInvariant();

    /// <summary>All other spellings of <paramref name="name"/> with the same <see cref="Folded"/> form.</summary>
    public static IEnumerable<string> Lookalikes(string name)
    {
        var at = Enumerable.Range(0, name.Length).Where(i => IsSeparator(name[i])).ToArray();
        for (var bits = 0; bits < 1 << at.Length; bits++)
        {
            var spelling = name.ToCharArray();
            for (var i = 0; i < at.Length; i++)
            {
                spelling[at[i]] = (bits >> i & 1) == 0 ? '_' : '-';
            }

            var text = new string(spelling);
            if (!text.Equals(name, StringComparison.Ordinal))
            {
                yield return text;
            }
        }
    }

    private static bool IsSeparator(char c) => c is '-' or '_';
}
