using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FenceGateway.TestKit;

/// <summary>
/// A certificate authority of one test, with a certificate for a server (localhost, 127.0.0.1) and one for a client.
/// Files in PEM form; those of server and client hold the private key as well. Disposing deletes them.
/// </summary>
public sealed class TestCertificates : IDisposable
{
    private const string ServerPurpose = "1.3.6.1.5.5.7.3.1";
    private const string ClientPurpose = "1.3.6.1.5.5.7.3.2";
    private static readonly DateTimeOffset From = TimeProvider.System.GetUtcNow().AddDays(-1);
    private readonly TempFolder _folder = new();

    public TestCertificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var authority = Authority("CN=FenceGateway test authority", key).CreateSelfSigned(From, From.AddYears(1));
        File.WriteAllText(AuthorityFile, authority.ExportCertificatePem());
        // For a client as well: etcd's JSON gateway calls its own server with it.
        File.WriteAllText(ServerFile, Issue(authority, "CN=localhost", ServerPurpose, ClientPurpose));
        // Without a common name, which etcd would want to be a user's.
        File.WriteAllText(ClientFile, Issue(authority, "O=gateway", ClientPurpose));
        using var middleKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signed = Authority("CN=FenceGateway test authority in between", middleKey)
            .Create(authority, From, From.AddDays(301), RandomNumberGenerator.GetBytes(8));
        using var middle = signed.CopyWithPrivateKey(middleKey);
        File.WriteAllText(ChainedClientFile, Issue(middle, "O=gateway", ClientPurpose) + middle.ExportCertificatePem());
    }

    public string AuthorityFile => _folder.File("authority.pem");

    public string ServerFile => _folder.File("server.pem");

    public string ClientFile => _folder.File("client.pem");

    /// <summary>
    /// A client's that another authority has signed, whose certificate by the first one is in the file as well.
    /// </summary>
    public string ChainedClientFile => _folder.File("chained.pem");

    public void Dispose() => _folder.Dispose();

    private static CertificateRequest Authority(string name, ECDsa key)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        return request;
    }

    private static string Issue(X509Certificate2 authority, string name, params string[] purposes)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([.. purposes.Select(p => new Oid(p))], false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(authority, From, From.AddDays(300), RandomNumberGenerator.GetBytes(8));
        return certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n";
    }
}
