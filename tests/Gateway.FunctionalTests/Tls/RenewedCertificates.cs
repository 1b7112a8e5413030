using System.Diagnostics.CodeAnalysis;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Tls;

/// <summary>Certificates of a test, how they are put into files, and what a client is shown.</summary>
internal static class RenewedCertificates
{
    public const string Password = "pass word";

    private static readonly DateTimeOffset From = TimeProvider.System.GetUtcNow().AddDays(-1);

    /// <summary>A certificate with its key for a server, signed by itself or by <paramref name="authority"/>.</summary>
    public static X509Certificate2 Create(string name, X509Certificate2? authority = null, bool isAuthority = false)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(isAuthority, false, 0, true));
        if (!isAuthority)
        {
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName("localhost");
            names.AddDnsName(name);
            request.CertificateExtensions.Add(names.Build());
        }

        if (authority is null)
        {
            return request.CreateSelfSigned(From, From.AddDays(300));
        }

        using var signed = request.Create(
            authority, From, new DateTimeOffset(authority.NotAfter), RandomNumberGenerator.GetBytes(8));
        return signed.CopyWithPrivateKey(key);
    }

    public static string KeyPem(X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPrivateKey()!;
        return key.ExportPkcs8PrivateKeyPem();
    }

    public static string EncryptedKeyPem(X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPrivateKey()!;
        return key.ExportEncryptedPkcs8PrivateKeyPem(
            Password, new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000));
    }

    /// <summary>Puts a file in the place of another one in one step, as careful writers do.</summary>
    public static void Replace(string file, byte[] content)
    {
        File.WriteAllBytes(file + ".new", content);
        File.Move(file + ".new", file, overwrite: true);
    }

    /// <summary>Shakes hands with the gateway, whatever it shows.</summary>
    [SuppressMessage("Security", "CA5359", Justification = "Which certificate is shown is what is asked.")]
    public static async Task<SslStream> ConnectAsync(Uri address, string host = "localhost")
    {
        var socket = new TcpClient();
        await socket.ConnectAsync("127.0.0.1", address.Port).WaitAsync(TimeLimit.Default);
        var stream = new SslStream(socket.GetStream(), leaveInnerStreamOpen: false, (_, _, _, _) => true);
        await stream.AuthenticateAsClientAsync(host).WaitAsync(TimeLimit.Default);
        return stream;
    }

    /// <summary>The common name of the certificate that a new connection is shown.</summary>
    public static async Task<string> ShownAsync(Uri address, string host = "localhost")
    {
        await using var stream = await ConnectAsync(address, host);
        return NameOf(stream);
    }

    public static string NameOf(SslStream stream) =>
        ((X509Certificate2)stream.RemoteCertificate!).GetNameInfo(X509NameType.SimpleName, false);
}
