using Microsoft.Extensions.Primitives;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>
/// The request header <c>Idempotency-Key</c>: a string of RFC 8941, as draft-ietf-httpapi-idempotency-key-header has
/// it, or the same characters without quotes, as most clients send it. Both forms of the same characters are the same
/// key.
/// </summary>
internal static class IdempotencyKey
{
    public const string Header = "Idempotency-Key";

    public const int MaxLength = 255;

    /// <summary>Reads the only key of a request.</summary>
    public static bool TryParse(StringValues values, out string key)
    {
        key = "";
        if (values is not [{ Length: > 0 } value])
        {
            return false;
        }

        return (value[0] == '"' ? TryUnquote(value, out key) : IsToken(key = value))
            && key.Length is > 0 and <= MaxLength;
    }

    private static bool TryUnquote(string value, out string key)
    {
        key = "";
        Span<char> unescaped = stackalloc char[MaxLength];
        var length = 0;
        var last = value.Length - 1;
        if (last < 1 || value[last] != '"')
        {
            return false;
        }

        for (var i = 1; i < last; i++)
        {
            var isEscape = value[i] == '\\';
            i += isEscape ? 1 : 0;
            var needsEscape = i < last && value[i] is '"' or '\\';
            if (i == last || isEscape != needsEscape || !IsVisible(value[i]) || length == MaxLength)
            {
                return false;
            }

            unescaped[length++] = value[i];
        }

        key = unescaped[..length].ToString();
        return true;
    }

    /// <summary>
    /// Nothing that could end a value or a string for another parser: a comma joins two lines of a header into one.
    /// </summary>
    private static bool IsToken(string value)
    {
        foreach (var c in value)
        {
            if (!IsVisible(c) || c is '"' or '\\' or ',' or ';')
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsVisible(char c) => c is > ' ' and <= '~';
}
