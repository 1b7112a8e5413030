using System.Buffers;
using System.Text;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Finds request targets that two parsers could read differently (R13). What passes has one decoded path, the one that
/// routing used, that the resource key is built from, and that is forwarded.
/// </summary>
internal static class TargetGuard
{
    /// <summary>
    /// The characters of RFC 3986, section 3.3 that mean themselves to every parser; without ';', '%', '\'.
    /// </summary>
    private static readonly SearchValues<char> PlainPath =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/");

    /// <summary>Says what is ambiguous about the path of <paramref name="target"/>; null when nothing is.</summary>
    /// <param name="target">The target as it came over the wire: origin form or absolute form.</param>
    public static string? FindAmbiguity(ReadOnlySpan<char> target)
    {
        var path = PathOf(target);
        if (path.IsEmpty || path[0] != '/')
        {
            return "it has no absolute path";
        }

        if (path.Contains("//", StringComparison.Ordinal))
        {
            return "it has an empty path segment ('//')";
        }

        var plain = !path.ContainsAnyExcept(PlainPath);
        if (plain && !path.Contains("/.", StringComparison.Ordinal))
        {
            return null;
        }

        foreach (var range in path.Split('/'))
        {
            if (FindInSegment(path[range]) is { } ambiguity)
            {
                return ambiguity;
            }
        }

        return null;
    }

    /// <summary>The path of a target in origin form or absolute form, still encoded.</summary>
    public static ReadOnlySpan<char> PathOf(ReadOnlySpan<char> target)
    {
        if (!target.IsEmpty && target[0] != '/')
        {
            var scheme = target.IndexOf("://", StringComparison.Ordinal);
            var authority = scheme < 0 ? target : target[(scheme + 3)..];
            var slash = authority.IndexOfAny('/', '?', '\\');
            target = slash < 0 ? "/" : authority[slash..];
        }

        var query = target.IndexOf('?');
        return query < 0 ? target : target[..query];
    }

    private static string? FindInSegment(ReadOnlySpan<char> segment)
    {
        Span<byte> bytes = segment.Length <= 256 ? stackalloc byte[256] : new byte[segment.Length];
        var length = 0;
        for (var i = 0; i < segment.Length; i++)
        {
            var c = segment[i];
            if (c is ';' or '\\' or '#' || c > '~')
            {
                return $"it has a '{(c > '~' ? '?' : c)}' that some parsers take for more than a character";
            }

            if (c != '%')
            {
                bytes[length++] = (byte)c;
                continue;
            }

            if (i + 2 >= segment.Length || !char.IsAsciiHexDigit(segment[i + 1])
                || !char.IsAsciiHexDigit(segment[i + 2]))
            {
                return "it has a '%' that does not begin an escape";
            }

            bytes[length++] = (byte)((Hex(segment[i + 1]) << 4) | Hex(segment[i + 2]));
            i += 2;
        }

        return FindInDecoded(bytes[..length]);
    }

    private static int Hex(char c) => char.IsAsciiDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;

    private static string? FindInDecoded(ReadOnlySpan<byte> segment)
    {
        if (segment.SequenceEqual("."u8) || segment.SequenceEqual(".."u8))
        {
            return "it has a dot segment";
        }

        while (!segment.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(segment, out var rune, out var consumed) != OperationStatus.Done)
            {
                return "it has an escape that is not UTF-8";
            }

            if (Rune.IsControl(rune))
            {
                return "it has an escaped control character";
            }

            if (rune.Value is '/' or '\\' or '%' or ';')
            {
                return $"it has an escaped '{rune}' that another parser may decode once more or not at all";
            }

            segment = segment[consumed..];
        }

        return null;
    }
}
