using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.Listeners;
using FenceGateway.Gateway.Settings;
using FenceGateway.TestKit;
using Microsoft.Extensions.DependencyInjection;

namespace FenceGateway.Gateway.FunctionalTests.Tls;

/// <summary>
/// A renewed certificate is shown to new connections without a restart, wherever it stands and however its files are
/// replaced.
/// </summary>
public sealed class ServerCertificateTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public enum Form
    {
        Pem,
        EncryptedPem,
        Pkcs12,
    }

    [Theory]
    [InlineData("Default", Form.Pem)]
    [InlineData("Default", Form.EncryptedPem)]
    [InlineData("Default", Form.Pkcs12)]
    [InlineData("Endpoint", Form.Pem)]
    [InlineData("Endpoint", Form.Pkcs12)]
    [InlineData("Sni", Form.Pem)]
    public async Task Renewed_WhereverItStands_IsShownToNewConnections(string place, Form form)
    {
        Write(form, "first", Plainly);
        await using var gateway = await StartAsync(place, form);
        await using var before = await RenewedCertificates.ConnectAsync(gateway.Address);
        RenewedCertificates.NameOf(before).ShouldBe("first");

        Write(form, "second", RenewedCertificates.Replace);
        Look(gateway);

        (await RenewedCertificates.ShownAsync(gateway.Address)).ShouldBe("second");
        (await AskAsync(before)).ShouldStartWith("HTTP/1.1 200");
        Write(form, "third", Plainly);
        Look(gateway);
        (await RenewedCertificates.ShownAsync(gateway.Address)).ShouldBe("third");
    }

    [Fact]
    public async Task Sni_EachNameHasItsOwn()
    {
        Write(Form.Pem, "shop.example", Plainly);
        Write(Form.Pem, "fallback", Plainly, "other");
        var sni = $$""" { "shop.example": { {{Certificate(Form.Pem)}} }, "*": { {{Certificate(Form.Pem, "other")}} } } """;
        await using var gateway = await FencedGateway.StartAsync(new GatewaySetup
        {
            Root = $$""" "Kestrel": { "Endpoints": { "https": { "Url": "https://127.0.0.1:0", "Sni": {{sni}} } } } """,
        });

        Write(Form.Pem, "shop-renewed", RenewedCertificates.Replace);
        Look(gateway);

        (await RenewedCertificates.ShownAsync(gateway.Address, "shop.example")).ShouldBe("shop-renewed");
        (await RenewedCertificates.ShownAsync(gateway.Address)).ShouldBe("fallback");
    }

    /// <summary>
    /// As Kubernetes mounts a secret: tls.crt is a link to ..data/tls.crt, and ..data a link to a folder of each
    /// version.
    /// </summary>
    [Fact]
    public async Task LinkTurned_IsARenewal()
    {
        foreach (var version in (string[])["first", "second"])
        {
            Directory.CreateDirectory(_folder.File(version));
            Write(Form.Pem, version, Plainly, $"{version}/tls");
        }

        Directory.CreateSymbolicLink(_folder.File("..data"), "first");
        File.CreateSymbolicLink(_folder.File("tls.crt"), "..data/tls.crt");
        File.CreateSymbolicLink(_folder.File("tls.key"), "..data/tls.key");
        await using var gateway = await StartAsync("Default", Form.Pem);
        (await RenewedCertificates.ShownAsync(gateway.Address)).ShouldBe("first");

        Directory.Delete(_folder.File("..data"));
        Directory.CreateSymbolicLink(_folder.File("..data"), "second");
        Look(gateway);

        (await RenewedCertificates.ShownAsync(gateway.Address)).ShouldBe("second");
    }

    /// <summary>Two files cannot be replaced in one step: what is between the steps changes nothing.</summary>
    [Theory]
    [InlineData("certificate first")]
    [InlineData("key first")]
    [InlineData("half of the certificate")]
    [InlineData("half of the key")]
    [InlineData("empty")]
    [InlineData("gone")]
    public async Task FilesThatCannotBeUsed_KeepTheOneBefore_UntilTheyCan(string state)
    {
        Write(Form.Pem, "first", Plainly);
        await using var gateway = await StartAsync("Default", Form.Pem);
        using var second = RenewedCertificates.Create("second");
        var (certificate, key) = (second.ExportCertificatePem(), RenewedCertificates.KeyPem(second));

        switch (state)
        {
            case "certificate first":
                await File.WriteAllTextAsync(_folder.File("tls.crt"), certificate, CancellationToken.None);
                break;
            case "key first":
                await File.WriteAllTextAsync(_folder.File("tls.key"), key, CancellationToken.None);
                break;
            case "half of the certificate":
                await File.WriteAllTextAsync(
                    _folder.File("tls.crt"), certificate[..(certificate.Length / 2)], CancellationToken.None);
                break;
            case "half of the key":
                await File.WriteAllTextAsync(_folder.File("tls.crt"), certificate, CancellationToken.None);
                await File.WriteAllTextAsync(_folder.File("tls.key"), key[..(key.Length / 2)], CancellationToken.None);
                break;
            case "empty":
                await File.WriteAllTextAsync(_folder.File("tls.crt"), "", CancellationToken.None);
                break;
            default:
                File.Delete(_folder.File("tls.key"));
                break;
        }

        Look(gateway);
        (await RenewedCertificates.ShownAsync(gateway.Address)).ShouldBe("first");

        await File.WriteAllTextAsync(_folder.File("tls.crt"), certificate, CancellationToken.None);
        await File.WriteAllTextAsync(_folder.File("tls.key"), key, CancellationToken.None);
        Look(gateway);
        (await RenewedCertificates.ShownAsync(gateway.Address)).ShouldBe("second");
    }

    [Fact]
    public async Task Renewed_WithAnAuthorityInBetween_SendsItAlong()
    {
        using var root = RenewedCertificates.Create("root", isAuthority: true);
        using var middle = RenewedCertificates.Create("middle", root, isAuthority: true);
        Write(Form.Pem, "first", Plainly);
        await using var gateway = await StartAsync("Default", Form.Pem);
        using var leaf = RenewedCertificates.Create("leaf", middle);

        await File.WriteAllTextAsync(_folder.File("tls.key"), RenewedCertificates.KeyPem(leaf), CancellationToken.None);
        await File.WriteAllTextAsync(
            _folder.File("tls.crt"), $"{leaf.ExportCertificatePem()}\n{middle.ExportCertificatePem()}\n",
            CancellationToken.None);
        Look(gateway);

        await using var plain = await RenewedCertificates.ConnectAsync(gateway.Address);
        RenewedCertificates.NameOf(plain).ShouldBe("leaf");
        using var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync("127.0.0.1", gateway.Address.Port);
        await using var stream = new SslStream(socket.GetStream());
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.Add(root);
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions { TargetHost = "localhost", CertificateChainPolicy = policy });
    }

    [Fact]
    public async Task Renewed_IsNoticedWithoutBeingTold()
    {
        Write(Form.Pem, "first", Plainly);
        await using var gateway = await StartAsync("Default", Form.Pem);
        Write(Form.Pem, "second", RenewedCertificates.Replace);

        gateway.Clock.Advance(ConfigurationWatcher.Poll);
        await Eventually.IsSoAsync(
            async () =>
            {
                gateway.Clock.Advance(ConfigurationWatcher.Quiet);
                return await RenewedCertificates.ShownAsync(gateway.Address) == "second";
            },
            "the renewed certificate");
    }

    public void Dispose() => _folder.Dispose();

    private static void Look(FencedGateway gateway) => gateway.Services.GetRequiredService<ServerCertificates>().Look();

    private static void Plainly(string file, byte[] content) => File.WriteAllBytes(file, content);

    private Task<FencedGateway> StartAsync(string place, Form form)
    {
        const string Url = """ "Url": "https://127.0.0.1:0" """;
        return FencedGateway.StartAsync(new GatewaySetup
        {
            Root = place switch
            {
                "Default" => $$""" "Urls": "https://127.0.0.1:0", "Kestrel": { "Certificates": { "Default": { {{Members(form)}} } } } """,
                "Endpoint" => $$""" "Kestrel": { "Endpoints": { "https": { {{Url}}, {{Certificate(form)}} } } } """,
                _ => $$""" "Kestrel": { "Endpoints": { "https": { {{Url}}, "Sni": { "localhost": { {{Certificate(form)}} } } } } } """,
            },
        });
    }

    private string Certificate(Form form, string name = "tls") => $$""" "Certificate": { {{Members(form, name)}} } """;

    private string Members(Form form, string name = "tls") => form switch
    {
        Form.Pem => $$""" "Path": "{{_folder.File(name)}}.crt", "KeyPath": "{{_folder.File(name)}}.key" """,
        Form.EncryptedPem => Members(Form.Pem, name) + $$""", "Password": "{{RenewedCertificates.Password}}" """,
        _ => $$""" "Path": "{{_folder.File(name)}}.pfx", "Password": "{{RenewedCertificates.Password}}" """,
    };

    private void Write(Form form, string subject, Action<string, byte[]> write, string name = "tls")
    {
        using var certificate = RenewedCertificates.Create(subject);
        var file = _folder.File(name);
        if (form == Form.Pkcs12)
        {
            write(file + ".pfx", certificate.Export(X509ContentType.Pkcs12, RenewedCertificates.Password));
            return;
        }

        write(file + ".crt", Encoding.ASCII.GetBytes(certificate.ExportCertificatePem()));
        var key = form == Form.Pem
            ? RenewedCertificates.KeyPem(certificate)
            : RenewedCertificates.EncryptedKeyPem(certificate);
        write(file + ".key", Encoding.ASCII.GetBytes(key));
    }

    private static async Task<string> AskAsync(SslStream stream)
    {
        await stream.WriteAsync("GET /open/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
        var answer = new byte[12];
        await stream.ReadExactlyAsync(answer).AsTask().WaitAsync(TimeLimit.Default);
        return Encoding.ASCII.GetString(answer);
    }
}
