using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>How a Redis is reached: a configuration string, read, with what a store must have in it.</summary>
internal sealed class RedisLinkSettings
{
    /// <summary>Options that the client would take and that would not do what they say.</summary>
    private static readonly (string Option, string Why)[] Refused =
    [
        ("channelPrefix=", "channelPrefix is not supported: the scripts name their channel themselves; use KeyPrefix to keep fleets apart"),
        ("protocol=", "protocol is not supported: RESP3 is spoken, and RESP2 with a server that knows no other"),
        ("asyncTimeout=", "asyncTimeout is not supported: a call ends when its session says so"),
    ];

    /// <summary>Unless the configuration says otherwise. Whoever waits for the store tries again: a short attempt that finds the server
    /// back is better than one that sits out a handshake with a server that has just gone.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);

    private const int SentinelPort = 26379;

    private RedisLinkSettings(ConfigurationOptions options, bool isBehindSentinels) =>
        (Options, IsBehindSentinels) = (options, isBehindSentinels);

    public ConfigurationOptions Options { get; }

    /// <summary>Whether Sentinels name the master, and may name another one.</summary>
    public bool IsBehindSentinels { get; }

    /// <summary>The service whose master the Sentinels have to be asked for; null when the addresses are the servers' own.</summary>
    public string? Service => Options.ServiceName is { Length: > 0 } name ? name : null;

    /// <summary>The addresses, for people; no secret.</summary>
    public string Location =>
        (Service is { } service ? service + " of the Sentinels " : "") + string.Join(',', Options.EndPoints.Select(RedisLink.Format));

    /// <summary>Whether somebody else signs in than <c>default</c>, for whom a password alone stands.</summary>
    public bool IsNamedUser => Options.User is not (null or "" or "default");

    /// <exception cref="TokenStoreUnavailableException">The configuration string or a certificate cannot be read.</exception>
    public static RedisLinkSettings Read(string configuration, string? certificateAuthority, string? clientCertificate)
    {
        try
        {
            var parts = configuration.Split(',', StringSplitOptions.TrimEntries);
            foreach (var (option, why) in Refused)
            {
                if (IsGiven(option))
                {
                    throw new FormatException(why);
                }
            }

            var options = ConfigurationOptions.Parse(configuration);
            if (options.EndPoints.Count == 0)
            {
                throw new FormatException("it names no server");
            }

            if (!IsGiven("connectTimeout="))
            {
                options.ConnectTimeout = (int)ConnectTimeout.TotalMilliseconds;
            }

            if (!IsGiven("connectRetry="))
            {
                options.ConnectRetry = 1;
            }

            Govern(options);
            UseCertificates(options, certificateAuthority, clientCertificate);
            return new RedisLinkSettings(options, options.ServiceName is { Length: > 0 });

            bool IsGiven(string option) => Array.Exists(parts, part => part.StartsWith(option, StringComparison.OrdinalIgnoreCase));
        }
        catch (Exception e) when (e is ArgumentException or FormatException || IsUnreadable(e))
        {
            throw TokenStoreUnavailableException.NothingTaken($"The Redis configuration cannot be used: {e.Message}", e);
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

    /// <summary>When calls are sent, and for how long they are waited for, is decided here and by the session: the client neither keeps a call
    /// for later nor gives one up.</summary>
    private static void Govern(ConfigurationOptions options)
    {
        // A server that is away now may be back soon; a call meanwhile fails at once and was not sent.
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.MaintenanceNotifications = MaintenanceNotificationMode.Disabled;
        options.AsyncTimeout = int.MaxValue;

        // Whether it is time to connect again is looked at with each of the client's heartbeats. At random, so that gateways that have
        // lost the same server do not come back in step.
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(250);
        options.ReconnectRetryPolicy = new ExponentialRetry(50, 500);

        // RESP2 is spoken with a server that knows no other.
        options.Protocol = RedisProtocol.Resp3;

        // INFO and CONFIG GET count as administration.
        options.AllowAdmin = true;
        // Conveniences of the client that need keys, channels and commands of their own, or tell keys in what is thrown.
        options.TieBreaker = "";
        options.ConfigurationChannel = "";
        options.SetClientLibrary = false;
        options.IncludeDetailInExceptions = false;
        options.ClientName ??= "fencegateway";
    }

    /// <summary>The files are read for every connection, so that a certificate that was renewed is shown, and trusted, without a restart.</summary>
    private static void UseCertificates(ConfigurationOptions options, string? authorities, string? certificate)
    {
        if (authorities is not null)
        {
            _ = Authorities(authorities);
            options.CertificateValidation += (_, shown, presented, errors) => Trusts(authorities, shown, presented, errors);
        }

        if (certificate is not null)
        {
            X509Certificate2.CreateFromPemFile(certificate).Dispose();
            options.CertificateSelection += (_, _, _, _, _) => Shown(certificate)!;
        }
    }

    /// <summary>null when the file cannot be read, perhaps because it is just being written: the next connection reads it again.</summary>
    private static X509Certificate2? Shown(string file)
    {
        try
        {
            return X509Certificate2.CreateFromPemFile(file);
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            return null;
        }
    }

    private static bool IsUnreadable(Exception e) => e is IOException or CryptographicException or UnauthorizedAccessException;

    private static X509Certificate2Collection Authorities(string file)
    {
        X509Certificate2Collection authorities = [];
        authorities.ImportFromPemFile(file);
        return authorities;
    }

    private static bool Trusts(string authorities, X509Certificate? shown, X509Chain? presented, SslPolicyErrors errors)
    {
        if (shown is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        try
        {
            chain.ChainPolicy.CustomTrustStore.AddRange(Authorities(authorities));
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            return false;
        }

        if (presented is not null)
        {
            // The intermediate authorities that the server has sent along.
            chain.ChainPolicy.ExtraStore.AddRange(presented.ChainPolicy.ExtraStore);
            foreach (var element in presented.ChainElements)
            {
                chain.ChainPolicy.ExtraStore.Add(element.Certificate);
            }
        }

        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        using var server = X509CertificateLoader.LoadCertificate(shown.GetRawCertData());
        return chain.Build(server);
    }
}
