using System.Net;
using System.Security.Authentication;

namespace FenceGateway.Gateway.Configuration;

/// <summary>
/// A StackExchange.Redis configuration string, as far as it can be told right from wrong without a server.
/// </summary>
internal static class RedisText
{
    /// <summary>The options whose values are no secrets.</summary>
    public static readonly string[] PlainOptions =
    [
        "abortConnect", "allowAdmin", "checkCertificateRevocation", "configChannel", "configCheckSeconds",
        "connectRetry", "connectTimeout",
        "defaultDatabase", "highIntegrity", "highPriorityThreads", "keepAlive", "name", "proxy", "resolveDns",
        "responseTimeout",
        "sentinelUser", "serviceName", "ssl", "sslHost", "sslProtocols", "syncTimeout", "tcpKeepAlive", "tiebreaker",
        "user", "version",
        "writeBuffer",
    ];

    public static readonly string[] Options = [.. PlainOptions, "password", "sentinelPassword"];

    /// <summary>What the client would read and the store cannot work with, and why.</summary>
    private static readonly Dictionary<string, string> Refused = new(StringComparer.OrdinalIgnoreCase)
    {
        ["channelPrefix"] = "a channelPrefix, which what scripts publish would not have; set KeyPrefix instead",
        ["protocol"] = "a protocol, which is not chosen: RESP3 is spoken, and RESP2 with a server that knows no other",
        ["asyncTimeout"] = "an asyncTimeout, which nothing waits for: a call ends when SessionTtl says so",
    };

    private static readonly string[] Flags =
    [
        "abortConnect", "allowAdmin", "checkCertificateRevocation", "highIntegrity", "highPriorityThreads",
        "resolveDns", "ssl", "tcpKeepAlive",
    ];

    private static readonly string[] Numbers =
    [
        "configCheckSeconds", "connectRetry", "connectTimeout", "defaultDatabase", "keepAlive", "responseTimeout",
        "syncTimeout", "writeBuffer",
    ];

    /// <summary>The servers it names, in lower case: Sentinels, where it names a service.</summary>
    public static IEnumerable<string> Servers(string text)
    {
        var port = Service(text) is null ? 6379 : 26379;
        return Parts(text).Where(part => !part.Contains('=', StringComparison.Ordinal)).Select(
            part => WithPort(part.ToLowerInvariant(), port));
    }

    /// <summary>The service whose master Sentinels know; null when it names none.</summary>
    public static string? Service(string text) => Value(text, "serviceName") is { Length: > 0 } name ? name : null;

    /// <summary>The number of the database; 0 when it names none.</summary>
    public static string Database(string text) => Value(text, "defaultDatabase") ?? "0";

    /// <summary>Whether the connection is encrypted.</summary>
    public static bool IsEncrypted(string text) => bool.TryParse(Value(text, "ssl"), out var ssl) && ssl;

    /// <summary>What is wrong with it, without its words: they may be secret. Null when nothing is.</summary>
    public static string? Fault(string text)
    {
        var parts = Parts(text);
        for (var i = 0; i < parts.Length; i++)
        {
            if (PartFault(parts[i]) is { } fault)
            {
                return $"has {fault}, in its part {i + 1} (parts are separated by commas; a password with one in it is "
                    + "given as Password or PasswordFile)";
            }
        }

        if (parts.SkipWhile(part => !IsSecret(part)).Any(IsShown))
        {
            return "names a server or a serviceName behind a password, where it may be the rest of one with a comma in "
                + "it: put it before, or give the password as Password or PasswordFile";
        }

        return Servers(text).Any() ? null : "names no server; begin with host:port, such as 127.0.0.1:6379";
    }

    /// <summary>Whether it names a user, or has a password.</summary>
    public static (bool HasUser, bool HasPassword) SignIn(string text) =>
        (Value(text, "user") is not null, Value(text, "password") is not null);

    /// <summary>The same for Sentinels.</summary>
    public static (bool HasUser, bool HasPassword) SentinelSignIn(string text) =>
        (Value(text, "sentinelUser") is not null, Value(text, "sentinelPassword") is not null);

    private static bool IsSecret(string part) =>
        SecretText.BeforeSecret(part).Length < part.Length && part.Contains('=', StringComparison.Ordinal);

    private static bool IsShown(string part) =>
        !part.Contains('=', StringComparison.Ordinal)
            || part.StartsWith("serviceName", StringComparison.OrdinalIgnoreCase);

    private static string? PartFault(string part)
    {
        var equals = part.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            return IsServer(part) ? null : "no host:port";
        }

        var (name, value) = (part[..equals].Trim(), part[(equals + 1)..].Trim());
        if (Refused.TryGetValue(name, out var why))
        {
            return why;
        }

        if (!Options.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            var hint = NearestName.Of(name, Options) is { } nearest ? $"; did you mean '{nearest}'?" : "";
            return $"an option that StackExchange.Redis does not know{hint}";
        }

        return Flags.Contains(name, StringComparer.OrdinalIgnoreCase)
            && !bool.TryParse(value, out _) ? $"a {name} that is neither true nor false"
            : Numbers.Contains(name, StringComparer.OrdinalIgnoreCase)
            && !int.TryParse(value, out _) ? $"a {name} that is no whole number"
            : name.Equals("sslProtocols", StringComparison.OrdinalIgnoreCase)
            && !Enum.TryParse<SslProtocols>(value, ignoreCase: true, out _)
                ? "a sslProtocols that is none, such as Tls12|Tls13"
            : name.Equals("version", StringComparison.OrdinalIgnoreCase)
            && !Version.TryParse(value, out _) ? "a version that is none"
            : null;
    }

    /// <summary><c>host</c>, <c>host:port</c>, <c>[::1]:port</c>.</summary>
    public static bool IsServer(string text) =>
        IPEndPoint.TryParse(text, out _)
        || (!text.Contains('@', StringComparison.Ordinal) && Uri.TryCreate(
            "redis://" + text, UriKind.Absolute, out var uri)
            && uri is { PathAndQuery: "/" or "", UserInfo: "", Fragment: "", Host.Length: > 0, Port: -1 or > 0 });

    /// <summary>The last one given counts, as for the client.</summary>
    private static string? Value(string text, string option) => Parts(text)
        .Select(part => part.Split('=', 2, StringSplitOptions.TrimEntries))
        .LastOrDefault(pair => pair.Length == 2 && pair[0].Equals(option, StringComparison.OrdinalIgnoreCase))?[1];

    private static string WithPort(string server, int port) =>
        server.LastIndexOf(':') > server.LastIndexOf(']') ? server : $"{server}:{port}";

    private static string[] Parts(string text) =>
        text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
