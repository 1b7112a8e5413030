using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>How a Redis is reached: a configuration string, read, with what a store must have in it.</summary>
internal sealed class RedisLinkSettings
{
    private const string UserOption = "user=";

    /// <summary>Options that the client would take and that would not do what they say.</summary>
    private static readonly (string Option, string Why)[] Refused =
    [
        ("serviceName=", "serviceName is not supported (no Sentinel): give the master's address, or use Provider Quorum"),
        ("channelPrefix=", "channelPrefix is not supported: the scripts name their channel themselves; use KeyPrefix to keep fleets apart"),
    ];

    /// <summary>Unless the configuration says otherwise. Whoever waits for the store tries again: a short attempt that finds the server
    /// back is better than one that sits out a handshake with a server that has just gone.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Assumed of a server that does not tell, since its user may not run INFO.</summary>
    private static readonly Version AssumedVersion = new(6, 0);

    private readonly string? _authorities;
    private readonly string? _certificate;

    private RedisLinkSettings(ConfigurationOptions options, string? user, string? authorities, string? certificate)
    {
        Options = options;
        User = user;
        Location = string.Join(',', options.EndPoints.Select(RedisLink.Format));
        (_authorities, _certificate) = (authorities, certificate);

        // The files are read for every connection, so that a certificate that was renewed is shown, and trusted, without a restart.
        if (authorities is not null)
        {
            _ = Authorities(authorities);
            options.CertificateValidation += (_, shown, presented, errors) => Trusts(shown, presented, errors);
        }

        if (certificate is not null)
        {
            X509Certificate2.CreateFromPemFile(certificate).Dispose();
            options.CertificateSelection += (_, _, _, _, _) => Shown(certificate)!;
        }
    }

    public ConfigurationOptions Options { get; }

    /// <summary>Who signs in; null for the user that a password alone stands for, <c>default</c>.</summary>
    public string? User { get; }

    /// <summary>The addresses, for people; no secret.</summary>
    public string Location { get; }

    /// <exception cref="TokenStoreUnavailableException">The configuration string or a certificate cannot be read.</exception>
    public static RedisLinkSettings Read(string configuration, string? certificateAuthority, string? clientCertificate)
    {
        try
        {
            // The client knows no users.
            var parts = configuration.Split(',', StringSplitOptions.TrimEntries);
            foreach (var (option, why) in Refused)
            {
                if (Array.Exists(parts, part => part.StartsWith(option, StringComparison.OrdinalIgnoreCase)))
                {
                    throw new FormatException(why);
                }
            }

            var user = parts.LastOrDefault(IsUser)?[UserOption.Length..];
            var options = ConfigurationOptions.Parse(string.Join(',', parts.Where(part => !IsUser(part))));
            if (options.EndPoints.Count == 0)
            {
                throw new FormatException("it names no server");
            }

            // A server that is away now may be back soon.
            options.AbortOnConnectFail = false;
            if (!parts.Any(static part => part.StartsWith("connectTimeout=", StringComparison.OrdinalIgnoreCase)))
            {
                options.ConnectTimeout = (int)ConnectTimeout.TotalMilliseconds;
            }

            if (!parts.Any(static part => part.StartsWith("connectRetry=", StringComparison.OrdinalIgnoreCase)))
            {
                options.ConnectRetry = 1;
            }

            // INFO and CONFIG GET count as administration.
            options.AllowAdmin = true;
            options.DefaultVersion = AssumedVersion;
            // Conveniences of the client that need keys and channels of their own.
            options.TieBreaker = "";
            options.ConfigurationChannel = "";
            options.ClientName ??= "fencegateway";
            return new RedisLinkSettings(
                options, user is null or "" or "default" ? null : user, certificateAuthority, clientCertificate);
        }
        catch (Exception e) when (e is ArgumentException or FormatException || IsUnreadable(e))
        {
            throw new TokenStoreUnavailableException($"The Redis configuration cannot be used: {e.Message}", e) { NotTaken = true };
        }
    }

    /// <summary>How the connection to <paramref name="server"/> is encrypted; null for not at all.</summary>
    public SslClientAuthenticationOptions? Encryption(EndPoint server) => !Options.Ssl ? null : new SslClientAuthenticationOptions
    {
        TargetHost = Options.SslHost ?? RedisLink.Format(server).Split(':')[0],
        EnabledSslProtocols = Options.SslProtocols ?? SslProtocols.None,
        LocalCertificateSelectionCallback =
            _certificate is { } certificate ? (_, _, _, _, _) => Shown(certificate)! : null,
        RemoteCertificateValidationCallback =
            (_, shown, presented, errors) => _authorities is null ? errors == SslPolicyErrors.None : Trusts(shown, presented, errors),
    };

    private static bool IsUser(string part) => part.StartsWith(UserOption, StringComparison.OrdinalIgnoreCase);

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

    private bool Trusts(X509Certificate? shown, X509Chain? presented, SslPolicyErrors errors)
    {
        if (shown is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        try
        {
            chain.ChainPolicy.CustomTrustStore.AddRange(Authorities(_authorities!));
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
