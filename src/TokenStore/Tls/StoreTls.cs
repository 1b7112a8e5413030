using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FenceGateway.TokenStore.Tls;

/// <summary>TLS towards the servers of a store. Files are read for each connection, so that those that were renewed count from the next one on.</summary>
/// <param name="certificateAuthority">A PEM file of the authorities that may have signed the server's certificate; null for those that the
/// system trusts.</param>
/// <param name="clientCertificate">A PEM file with the certificate that is shown, the certificates between it and its authority if there are
/// any, and the private key; null for none.</param>
internal sealed class StoreTls(string? certificateAuthority, string? clientCertificate)
{
    /// <summary>Whether a certificate is shown to a server that asks for one.</summary>
    public bool HasClientCertificate => clientCertificate is not null;

    /// <summary>Shakes hands over <paramref name="stream"/>, which is closed when that fails.</summary>
    /// <exception cref="AuthenticationException">A file cannot be used, or one of the two does not trust the other; the message says which.</exception>
    public async Task<SslStream> AuthenticateAsync(Stream stream, string host, CancellationToken cancellationToken)
    {
        var encrypted = new SslStream(stream);
        try
        {
            await encrypted.AuthenticateAsClientAsync(Options(host), cancellationToken);
            return encrypted;
        }
        catch (Exception e)
        {
            await encrypted.DisposeAsync();
            throw e is AuthenticationException and not UnusableFileException
                ? new AuthenticationException($"No TLS with {host}: {e.GetBaseException().Message}", e)
                : e;
        }
    }

    private SslClientAuthenticationOptions Options(string host) => new()
    {
        TargetHost = host,
        CertificateChainPolicy = certificateAuthority is null ? null : Read(nameof(certificateAuthority), certificateAuthority, Trusting),
        ClientCertificateContext = clientCertificate is null ? null : Read(nameof(clientCertificate), clientCertificate, Showing),
    };

    private static X509ChainPolicy Trusting(string file)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(file);
        return policy.CustomTrustStore.Count > 0 ? policy : throw new CryptographicException("There is no certificate in it.");
    }

    private static SslStreamCertificateContext Showing(string file)
    {
        X509Certificate2Collection all = [];
        all.ImportFromPemFile(file);
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(file), all, offline: true);
    }

    /// <summary>What is wrong with a file is told by its name and the reader's words, which hold nothing of what is in it.</summary>
    private static T Read<T>(string option, string file, Func<string, T> read)
    {
        try
        {
            return read(file);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UnusableFileException($"The file of {char.ToUpperInvariant(option[0])}{option[1..]}, {file}, cannot be used: {e.Message}", e);
        }
    }

    private sealed class UnusableFileException(string message, Exception innerException) : AuthenticationException(message, innerException);
}
