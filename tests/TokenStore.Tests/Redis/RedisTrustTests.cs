using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Redis;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>Certificates of authorities that the system does not know.</summary>
public sealed class RedisTrustTests : IDisposable
{
    private static readonly DateTimeOffset From = TimeProvider.System.GetUtcNow().AddDays(-1);
    private readonly TestCertificates _certificates = new();

    public void Dispose() => _certificates.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OpenAsync_WithAnIntermediateAuthority_NeedsTheRootOnly(bool named)
    {
        WriteChain();
        await using var server = await RedisServer.StartAsync(new RedisServerOptions
        {
            Certificates = _certificates,
            Users = named ? ["user fence on >secret ~* &* +@all", "user default off ~* &* +@all"] : [],
        });
        await using var store = Make(server.Configuration + (named ? ",user=fence,password=secret" : ""));

        var gateway = await RedisGateway.StartAsync(store);

        (await gateway.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task OpenAsync_WithAnIntermediateOfAnotherRoot_IsRefused()
    {
        using var others = new TestCertificates();
        WriteChain();
        File.Copy(others.AuthorityFile, _certificates.AuthorityFile, overwrite: true);
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Certificates = _certificates });
        await using var store = Make(server.Configuration);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));

        await store.OpenAsync(limit.Token).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();
    }

    /// <summary>Both sides were given new certificates, of another authority even, under the same names.</summary>
    [Fact]
    public async Task Connection_AfterTheCertificatesWereRenewed_UsesTheNewFiles()
    {
        using var renewed = new TestCertificates();
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions { Certificates = _certificates, AskForClientCertificate = true });
        await using var store = Make(server.Configuration, _certificates.ClientFile);
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 7);

        await server.RestartAsync(_ =>
        {
            File.Copy(renewed.AuthorityFile, _certificates.AuthorityFile, overwrite: true);
            File.Copy(renewed.ServerFile, _certificates.ServerFile, overwrite: true);
            File.Copy(renewed.ClientFile, _certificates.ClientFile, overwrite: true);
        });

        await RedisFixture.UntilAsync(async () => (await gateway.EnterAsync("a", 6)).Status == EnterStatus.Stale);
    }

    /// <summary>
    /// The server shows its own certificate and that of the intermediate authority; the gateway is given the root's.
    /// </summary>
    private void WriteChain()
    {
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var root = Authority("CN=root", rootKey).CreateSelfSigned(From, From.AddYears(1));
        using var middleKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signed = Authority("CN=middle", middleKey).Create(
            root, From, From.AddDays(300), RandomNumberGenerator.GetBytes(8));
        using var middle = signed.CopyWithPrivateKey(middleKey);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        using var server = request.Create(middle, From, From.AddDays(200), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(
            _certificates.ServerFile,
            server.ExportCertificatePem() + "\n" + middle.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem()
                + "\n");
        File.WriteAllText(_certificates.AuthorityFile, root.ExportCertificatePem() + "\n");
    }

    private static CertificateRequest Authority(string name, ECDsa key)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        return request;
    }

    private RedisTokenStore Make(string configuration, string? client = null) => new(
        new RedisTokenStoreOptions
        {
            Configuration = configuration,
            CertificateAuthority = _certificates.AuthorityFile,
            ClientCertificate = client,
        },
        TimeProvider.System, NullLogger<RedisTokenStore>.Instance);
}
