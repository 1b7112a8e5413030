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

/// <summary>
/// Says what is secret, and leaves it out of a text. What it does not understand it leaves out as a whole.
/// </summary>
internal static partial class SecretText
{
    public const string Redacted = "***";
    private const int LongestShown = 200;

    public static string Redact(SecretForm form, string text) => text.Length == 0 ? "" : form switch
    {
        SecretForm.RedisConfiguration => RedactRedis(text),
        SecretForm.ConnectionString => RedactPairs(text),
        _ => Redacted,
    };

    /// <summary>
    /// A text as a problem may repeat it: its beginning, and nothing of one that has, or was to have, a user with a
    /// password before an <c>@</c>.
    /// </summary>
    public static string Shown(string text) => text.Contains('@', StringComparison.Ordinal) ? Redacted
        : text.Length <= LongestShown ? text
        : $"{text.AsSpan(0, LongestShown)}…";

    /// <summary>The user part of an address.</summary>
    public static string RedactUser(string text) => UserInfo().Replace(text, Redacted);

    /// <summary>
    /// The part of a connection string before its first secret. What follows may be the rest of one with a separator in
    /// it.
    /// </summary>
    public static string BeforeSecret(string text) =>
        SecretPart().Match(text) is { Success: true, Index: var at } ? text[..at] : text;

    /// <summary>
    /// Whether a setting of that name is a secret, or may well be one: of YARP, Kestrel or a transform.
    /// </summary>
    public static bool IsSecretName(string name) => SecretName().IsMatch(name);

    private static string RedactRedis(string text)
    {
        var parts = text.Split(',');
        var shown = parts.TakeWhile(IsPlain).ToList();
        if (shown.Count < parts.Length)
        {
            var name = parts[shown.Count].Split('=', 2)[0];
            shown.Add(
                RedisText.Options.Contains(name.Trim(), StringComparer.OrdinalIgnoreCase)
                    ? $"{name}={Redacted}"
                    : Redacted);
        }

        return string.Join(',', shown);

        static bool IsPlain(string part) => part.IndexOf('=', StringComparison.Ordinal) is var equals and >= 0
            ? RedisText.PlainOptions.Contains(part[..equals].Trim(), StringComparer.OrdinalIgnoreCase)
            : !part.Contains('@', StringComparison.Ordinal);
    }

    private static string RedactPairs(string text)
    {
        try
        {
            var pairs = new DbConnectionStringBuilder { ConnectionString = BeforeSecret(text) };
            if (SecretPart().Match(text) is { Success: true, Value: var part })
            {
                pairs[part.Trim(' ', ';', ',', '=').ToLowerInvariant()] = Redacted;
            }

            return pairs.ConnectionString;
        }
        catch (ArgumentException)
        {
            return Redacted;
        }
    }

    [GeneratedRegex(
        @"(?:^|[;,])[^;,=]*(?:(?:pass|pwd|psw|secret|token)[^;,=]*|key\s*)=",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex SecretPart();

    [GeneratedRegex(
        "passw(or)?d|passphrase|secret|credential|connection-?_?string|(api|access|private|account|shared)[-_]?key"
        + "|authorization|cookie|bearer|auth[-_]?token|access[-_]?token",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex SecretName();

    [GeneratedRegex("(?<=://)[^/@\\s]+(?=@)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex UserInfo();
}
