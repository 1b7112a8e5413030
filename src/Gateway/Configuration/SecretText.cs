using System.Data.Common;
using System.Text.RegularExpressions;

namespace FenceGateway.Gateway.Configuration;

/// <summary>The option may hold a secret: it is never repeated as it is, not in an error either.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SecretAttribute(SecretForm form) : Attribute
{
    public SecretForm Form => form;
}

/// <summary>Where in a text its secrets are.</summary>
internal enum SecretForm
{
    /// <summary>All of it.</summary>
    Whole,

    /// <summary><c>host:port,password=…</c></summary>
    RedisConfiguration,

    /// <summary><c>Host=…;Password=…</c></summary>
    ConnectionString,
}

/// <summary>Leaves the secrets of a text out. What it does not understand it leaves out as a whole.</summary>
internal static partial class SecretText
{
    public const string Redacted = "***";
    private const int LongestShown = 200;

    public static string Redact(SecretForm form, string text) => text.Length == 0 ? "" : form switch
    {
        SecretForm.RedisConfiguration => string.Join(',', RedactRedis(text)),
        SecretForm.ConnectionString => RedactPairs(text),
        _ => Redacted,
    };

    /// <summary>A text as a problem may repeat it: its beginning, and nothing of one that has, or was to have, a user with a password before
    /// an <c>@</c>.</summary>
    public static string Shown(string text) => text.Contains('@', StringComparison.Ordinal) ? Redacted
        : text.Length <= LongestShown ? text
        : $"{text.AsSpan(0, LongestShown)}…";

    /// <summary>The user part of an address.</summary>
    public static string RedactUser(string text) => UserInfo().Replace(text, Redacted);

    private static IEnumerable<string> RedactRedis(string text)
    {
        var seen = false;
        foreach (var part in text.Split(','))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
            {
                // What follows a secret may be the rest of one with a comma in it.
                yield return seen || part.Contains('@', StringComparison.Ordinal) ? Redacted : part;
                continue;
            }

            var isPlain = RedisText.PlainOptions.Contains(part[..equals].Trim(), StringComparer.OrdinalIgnoreCase);
            seen |= !isPlain;
            yield return isPlain ? part
                : RedisText.Options.Contains(part[..equals].Trim(), StringComparer.OrdinalIgnoreCase) ? $"{part[..equals]}={Redacted}"
                : Redacted;
        }
    }

    private static string RedactPairs(string text)
    {
        try
        {
            var pairs = new DbConnectionStringBuilder { ConnectionString = text };
            foreach (var key in pairs.Keys.Cast<string>().Where(key => SecretKey().IsMatch(key)).ToList())
            {
                pairs[key] = Redacted;
            }

            return pairs.ConnectionString;
        }
        catch (ArgumentException)
        {
            return Redacted;
        }
    }

    [GeneratedRegex("pass|pwd|psw|secret|token|key$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex SecretKey();

    [GeneratedRegex("(?<=://)[^/@\\s]+(?=@)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex UserInfo();
}
