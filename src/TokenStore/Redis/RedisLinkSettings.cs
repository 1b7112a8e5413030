using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>How a Redis is reached: a configuration string, read, with what a store must have in it.</summary>
internal sealed class RedisLinkSettings
{
    /// <summary>Assumed of a server that does not tell, since its user may not run INFO.</summary>
    private static readonly Version AssumedVersion = new(6, 0);

    private const int ReconnectMs = 100;
    private const int ConnectMs = 1000;

    private RedisLinkSettings(ConfigurationOptions options)
    {
        Options = options;
        Location = string.Join(',', options.EndPoints.Select(RedisLink.Format));
    }

    public ConfigurationOptions Options { get; }

    /// <summary>The addresses, for people; no secret.</summary>
    public string Location { get; }

    /// <exception cref="TokenStoreUnavailableException">The configuration string or a certificate cannot be read.</exception>
    public static RedisLinkSettings Read(string configuration, string? certificateAuthority, string? clientCertificate)
    {
        try
        {
            var options = ConfigurationOptions.Parse(configuration);
            if (options.EndPoints.Count == 0)
            {
                throw new FormatException("it names no server");
            }

            // A server that is away now may be back soon.
            options.AbortOnConnectFail = false;
            // INFO and CONFIG GET count as administration.
            options.AllowAdmin = true;
            options.DefaultVersion = AssumedVersion;
            // Conveniences of the client that need keys and channels of their own.
            options.TieBreaker = "";
            options.ConfigurationChannel = "";
            Hurry(options, configuration);
            options.ClientName ??= "fencegateway";
            Trust(options, certificateAuthority);
            Show(options, clientCertificate);
            return new RedisLinkSettings(options);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or IOException or CryptographicException
            or UnauthorizedAccessException)
        {
            throw new TokenStoreUnavailableException($"The Redis configuration cannot be used: {e.Message}", e) { NotTaken = true };
        }
    }

    /// <summary>The client waits for its connect time-out, 5 s, before it tries again, however soon the server is back.</summary>
    private static void Hurry(ConfigurationOptions options, string configuration)
    {
        options.ReconnectRetryPolicy = new LinearRetry(ReconnectMs);
        if (!configuration.Contains("connectTimeout", StringComparison.OrdinalIgnoreCase))
        {
            options.ConnectTimeout = ConnectMs;
        }
    }

    private static void Trust(ConfigurationOptions options, string? authority)
    {
        if (authority is null)
        {
            return;
        }

        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(authority);
        options.CertificateValidation += (_, certificate, _, errors) =>
        {
            if (certificate is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
            {
                return false;
            }

            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.AddRange(roots);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            using var server = X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
            return chain.Build(server);
        };
    }

    private static void Show(ConfigurationOptions options, string? client)
    {
        if (client is not null)
        {
            var certificate = X509Certificate2.CreateFromPemFile(client);
            options.CertificateSelection += (_, _, _, _, _) => certificate;
        }
    }
}
