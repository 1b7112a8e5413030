using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace FenceGateway.Gateway.Listeners;

/// <summary>
/// A certificate of the data listener in its file or files, as Kestrel's section names them: PEM with <c>KeyPath</c>,
/// or PKCS #12.
/// </summary>
/// <param name="section">Where it stands, such as <c>Kestrel:Certificates:Default</c>.</param>
internal sealed class CertificateFile(IConfigurationSection section)
{
    private readonly string _path = Path.GetFullPath(section["Path"]!);
    private readonly string? _keyPath = section["KeyPath"] is { Length: > 0 } key ? Path.GetFullPath(key) : null;
    private byte[] _examined = [];

    public string Section => section.Path;

    public string File => _path;

    /// <summary>The thumbprints of the certificates that were in it since the start.</summary>
    public List<string> Known { get; } = [];

    /// <summary>
    /// Whether the files hold something else than when they were last examined; a file that is not there counts as
    /// empty.
    /// </summary>
    /// <remarks>
    /// By content: a link that was turned and a file that was renamed over another are changes like any other.
    /// </remarks>
    public bool HasChanged()
    {
        var key = _keyPath is null ? [] : Bytes(_keyPath);
        var content = SHA256.HashData([.. SHA256.HashData(Bytes(_path)), .. SHA256.HashData(key)]);
        var same = content.AsSpan().SequenceEqual(_examined);
        _examined = content;
        return !same;
    }

    /// <summary>The certificate with its key and those between it and its authority.</summary>
    /// <param name="offline">Asks no authority for what a server shows beside its certificate.</param>
    /// <exception cref="CryptographicException">The files hold no certificate with its key, or a part of
    /// it.</exception>
    /// <exception cref="IOException">They cannot be read.</exception>
    public SslStreamCertificateContext Load(bool offline)
    {
        var bytes = System.IO.File.ReadAllBytes(_path);
        var (own, chain) = _keyPath is null ? FromPkcs12(bytes) : FromPem(bytes, System.IO.File.ReadAllText(_keyPath));
        return SslStreamCertificateContext.Create(own, chain, offline);
    }

    private (X509Certificate2 Own, X509Certificate2Collection Chain) FromPkcs12(byte[] bytes)
    {
        var all = X509CertificateLoader.LoadPkcs12Collection(bytes, section["Password"]);
        return all.FirstOrDefault(certificate => certificate.HasPrivateKey) is { } own
            ? (own, all)
            : throw new CryptographicException("It has no certificate with a private key.");
    }

    private (X509Certificate2 Own, X509Certificate2Collection Chain) FromPem(byte[] bytes, string key)
    {
        var text = Encoding.UTF8.GetString(bytes);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPem(text);
        if (text.AsSpan().Count("-----BEGIN ") != text.AsSpan().Count("-----END "))
        {
            throw new CryptographicException("It ends in the middle of a section.");
        }

        // One without PEM is a certificate in DER form, which Kestrel takes as well.
        var certificate = chain.Count > 0 ? text : X509CertificateLoader.LoadCertificate(bytes).ExportCertificatePem();
        var own = section["Password"] is { } password
            ? X509Certificate2.CreateFromEncryptedPem(certificate, key, password)
            : X509Certificate2.CreateFromPem(certificate, key);
        return (own, chain);
    }

    private static byte[] Bytes(string file)
    {
        try
        {
            return System.IO.File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
