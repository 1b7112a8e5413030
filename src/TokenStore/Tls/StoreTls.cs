using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FenceGateway.TokenStore.Tls;

/// <summary>
/// TLS towards the servers of a store. Files are read for each connection, so that those that were renewed count from
/// the next one on.
/// </summary>
/// <param name="section">Where the options of the store are.</param>
/// <param name="certificateAuthority">A PEM file of the authorities that may have signed the server's certificate; null
/// for those that the system trusts.</param>
/// <param name="clientCertificate">A PEM file with the certificate that is shown, the certificates between it and its
/// authority if there are any, and the private key; null for none.</param>
internal sealed class StoreTls(string section, string? certificateAuthority, string? clientCertificate)
{
    /// <summary>TLS with these files; null where there are none, and the client's own way will do.</summary>
    public static StoreTls? Of(string section, string? certificateAuthority, string? clientCertificate) =>
        certificateAuthority is null && clientCertificate is null
            ? null
            : new StoreTls(section, certificateAuthority, clientCertificate);

    /// <summary>Shakes hands over <paramref name="stream"/>, which is closed when that fails.</summary>
    /// <exception cref="AuthenticationException">A file cannot be used, or one of the two does not trust the other; the
    /// message says which.</exception>
    public async Task<SslStream> AuthenticateAsync(
        Stream stream, string host, CancellationToken cancellationToken, SslApplicationProtocol? protocol = null)
    {
        var encrypted = new SslStream(stream);
        try
        {
            await encrypted.AuthenticateAsClientAsync(Options(host, protocol), cancellationToken);
            return encrypted;
        }
        catch (Exception e)
        {
            await encrypted.DisposeAsync();
            throw e switch
            {
                // What is wrong with the server's certificate has no inner exception.
                AuthenticationException { InnerException: null } =>
                    new AuthenticationException($"No TLS with {host}: {e.Message}", e),
                AuthenticationException and not UnusableFileException or IOException =>
                    new AuthenticationException($"No TLS with {host}: {Explain(e)}", e),
                _ => e,
            };
        }
    }

    /// <summary>
    /// Why an encrypted connection has ended. A server that does not take a client's certificate says so only after the
    /// handshake, and hangs up.
    /// </summary>
    public string Explain(Exception e) =>
        $"{e.GetBaseException().Message.TrimEnd('.')}. This is also how a server ends a connection that shows "
        + (clientCertificate is null
            ? $"no certificate where it asks for one; {section}:ClientCertificate is not set."
            : $"a certificate which it does not trust; the gateway's is in {section}:ClientCertificate.");

    /// <summary>What a connection is made with: the files as they are now.</summary>
    /// <exception cref="AuthenticationException">One of them cannot be used; the message says which.</exception>
    public SslClientAuthenticationOptions Options(string host, SslApplicationProtocol? protocol) => new()
    {
        TargetHost = host,
        ApplicationProtocols = protocol is { } spoken ? [spoken] : null,
        CertificateChainPolicy = certificateAuthority is null
            ? null
            : Read("CertificateAuthority", certificateAuthority, Trusting),
        ClientCertificateContext = clientCertificate is null
            ? null
            : Read("ClientCertificate", clientCertificate, Showing),
    };

    private static X509ChainPolicy Trusting(string file)
    {
        var policy =
            new X509ChainPolicy
            { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(file);
        return policy.CustomTrustStore.Count > 0
            ? policy
            : throw new CryptographicException("There is no certificate in it.");
    }

    private static SslStreamCertificateContext Showing(string file)
    {
        X509Certificate2Collection all = [];
        all.ImportFromPemFile(file);
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(file), all, offline: true);
    }

    /// <summary>
    /// What is wrong with a file is told by its name and the reader's words, which hold nothing of what is in it.
    /// </summary>
    private T Read<T>(string option, string file, Func<string, T> read)
    {
        try
        {
            return read(file);
        }
        catch (Exception e) when (
            e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UnusableFileException($"The file of {section}:{option}, {file}, cannot be used: {e.Message}", e);
        }
    }

    private sealed class UnusableFileException(string message, Exception innerException) : AuthenticationException(
        message, innerException);
}
