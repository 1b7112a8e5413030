using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using FenceGateway.TokenStore.Tls;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace FenceGateway.TokenStore.Redis;

/// <summary>How a Redis is reached: a configuration string, read, with what a store must have in it.</summary>
internal sealed class RedisLinkSettings
{
    /// <summary>Options that the client would take and that would not do what they say.</summary>
    private static readonly (string Option, string Why)[] Refused =
    [
        ("channelPrefix=", "channelPrefix is not supported: the scripts name their channel themselves; use KeyPrefix "
            + "to keep fleets apart"),
        ("protocol=", "protocol is not supported: RESP3 is spoken, and RESP2 with a server that knows no other"),
        ("asyncTimeout=", "asyncTimeout is not supported: a call ends when its session says so"),
    ];

    /// <summary>
    /// Unless the configuration says otherwise. Whoever waits for the store tries again: a short attempt that finds the
    /// server back is better than one that sits out a handshake with a server that has just gone.
    /// </summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);

    private const int SentinelPort = 26379;

    private RedisLinkSettings(ConfigurationOptions options, bool isBehindSentinels) =>
        (Options, IsBehindSentinels) = (options, isBehindSentinels);

    public ConfigurationOptions Options { get; }

    /// <summary>Whether Sentinels name the master, and may name another one.</summary>
    public bool IsBehindSentinels { get; }

    /// <summary>
    /// The service whose master the Sentinels have to be asked for; null when the addresses are the servers' own.
    /// </summary>
    public string? Service => Options.ServiceName is { Length: > 0 } name ? name : null;

    /// <summary>The addresses, for people; no secret.</summary>
    public string Location =>
        (Service is { } service ? service + " of the Sentinels " : "")
            + string.Join(',', Options.EndPoints.Select(RedisLink.Format));

    /// <summary>Whether somebody else signs in than <c>default</c>, for whom a password alone stands.</summary>
    public bool IsNamedUser => Options.User is not (null or "" or "default");

    /// <exception cref="TokenStoreUnavailableException">The configuration string, a certificate or the password cannot
    /// be read.</exception>
    public static RedisLinkSettings Read(
        string configuration, StoreTls? tls = null, string? user = null, Func<string>? password = null)
    {
        try
        {
            var options = Parse(configuration);
            Govern(options);
            if (tls is not null)
            {
                UseCertificates(options, tls);
            }

            options.User = user ?? options.User;
            if (password is not null)
            {
                _ = password();
                options.Defaults = new PasswordOfNow(password);
            }

            return new RedisLinkSettings(options, options.ServiceName is { Length: > 0 });
        }
        catch (Exception e) when (e is FormatException or AuthenticationException)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"The Redis configuration cannot be used: {e.Message}", e);
        }
        catch (ArgumentException e)
        {
            // The client's words repeat an option's name, which may be the rest of a password with a comma in it.
            var isSecret = configuration.Contains("password", StringComparison.OrdinalIgnoreCase);
            throw TokenStoreUnavailableException.NothingTaken(
                "The Redis configuration cannot be used: "
                    + $"{(isSecret ? "it has an option, or a value, that the client does not know." : e.Message)}");
        }
    }

    /// <summary>The same for the master that Sentinels have named.</summary>
    public RedisLinkSettings At(EndPoint master)
    {
        var options = Options.Clone();
        options.EndPoints.Clear();
        options.EndPoints.Add(master);
        options.ServiceName = null;
        return new RedisLinkSettings(options, IsBehindSentinels);
    }

    /// <summary>How the Sentinels themselves are reached: as a user of their own, if there is one.</summary>
    public ConfigurationOptions ForSentinels()
    {
        var options = Options.Clone();
        (options.User, options.Password) = (Options.SentinelUser, Options.SentinelPassword);
        options.ServiceName = null;
        options.CommandMap = CommandMap.Sentinel;
        for (var i = 0; i < options.EndPoints.Count; i++)
        {
            options.EndPoints[i] = options.EndPoints[i] switch
            {
                IPEndPoint { Port: 0 } ip => new IPEndPoint(ip.Address, SentinelPort),
                DnsEndPoint { Port: 0 } dns => new DnsEndPoint(dns.Host, SentinelPort),
                var complete => complete,
            };
        }

        return options;
    }

    private static ConfigurationOptions Parse(string configuration)
    {
        var parts = configuration.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (Array.Find(Refused, refused => IsGiven(refused.Option)) is { Why: { } why })
        {
            throw new FormatException(why);
        }

        if (parts.SkipWhile(static part => !IsPassword(part))
            .Any(static part => !part.Contains('=', StringComparison.Ordinal)
            || part.StartsWith("serviceName", StringComparison.OrdinalIgnoreCase)))
        {
            // These two are shown.
            throw new FormatException(
                "what follows a password may be the rest of one with a comma in it: name servers and service before "
                    + "it");
        }

        var options = ConfigurationOptions.Parse(configuration);
        if (options.EndPoints.Count == 0)
        {
            throw new FormatException("it names no server");
        }

        options.ConnectTimeout = IsGiven("connectTimeout=")
            ? options.ConnectTimeout
            : (int)ConnectTimeout.TotalMilliseconds;
        options.ConnectRetry = IsGiven("connectRetry=") ? options.ConnectRetry : 1;
        return options;

        static bool IsPassword(string part) =>
            part.Contains('=', StringComparison.Ordinal)
                && part.Contains("password", StringComparison.OrdinalIgnoreCase);
        bool IsGiven(string option) =>
            Array.Exists(parts, part => part.StartsWith(option, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>
    /// When calls are sent, and for how long they are waited for, is decided here and by the session: the client
    /// neither keeps a call for later nor gives one up.
    /// </summary>
    private static void Govern(ConfigurationOptions options)
    {
        // A server that is away now may be back soon; a call meanwhile fails at once and was not sent.
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.MaintenanceNotifications = MaintenanceNotificationMode.Disabled;
        options.AsyncTimeout = int.MaxValue;

        // Whether it is time to connect again is looked at with each of the client's heartbeats. At random, so that
        // gateways that have lost the same server do not come back in step.
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(250);
        options.ReconnectRetryPolicy = new ExponentialRetry(50, 500);

        // RESP2 is spoken with a server that knows no other.
        options.Protocol = RedisProtocol.Resp3;

        // INFO and CONFIG GET count as administration.
        options.AllowAdmin = true;
        // Conveniences of the client that need keys, channels and commands of their own, or tell keys in what is
        // thrown.
        options.TieBreaker = "";
        options.ConfigurationChannel = "";
        options.SetClientLibrary = false;
        options.IncludeDetailInExceptions = false;
        options.ClientName ??= "fencegateway";
    }

    /// <summary>
    /// The client's own settings of certificates do not count any more: what it would read of them is read here.
    /// </summary>
    private static void UseCertificates(ConfigurationOptions options, StoreTls tls)
    {
        // What cannot be used at all is said at once.
        _ = tls.Options("", null);
        options.SslClientAuthenticationOptions = host =>
        {
            var authentication = tls.Options(options.SslHost is { Length: > 0 } name ? name : host, null);
            authentication.EnabledSslProtocols = options.SslProtocols ?? SslProtocols.None;
            authentication.CertificateRevocationCheckMode =
                options.CheckCertificateRevocation ? X509RevocationMode.Online : X509RevocationMode.NoCheck;
            return authentication;
        };
    }

    /// <summary>
    /// Asks for the password with each connection, so that one that was changed counts without a restart.
    /// </summary>
    private sealed class PasswordOfNow(Func<string> password) : DefaultOptionsProvider
    {
        public override string? Password => password();
    }
}
