using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FenceGateway.Gateway.Tests.Configuration;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.Tests.Listeners;

/// <summary>What Kestrel would fail on at start, with the place of each fault.</summary>
public sealed class ListenerProofTests : IDisposable
{
    private readonly TestCertificates _certificates = new();
    private readonly TempFolder _folder = new();

    [Theory]
    [InlineData("""{ "Urls": "http://127.0.0.1:0;https://127.0.0.1:0" }""", "$.Urls", "without a certificate")]
    [InlineData("""{ "https_ports": "8443" }""", "$.https_ports", "without a certificate")]
    [InlineData("""{ "Urls": "http://localhost:0" }""", "$.Urls", "localhost")]
    [InlineData("""{ "FenceGateway": { "Admin": { "Url": "http://localhost:0" } } }""", "$.FenceGateway.Admin.Url", "localhost")]
    [InlineData("""{ "Kestrel": { "Endpoints": { "a": { "Url": "https://127.0.0.1:0" } } } }""",
        "$.Kestrel.Endpoints.a.Certificate", "without a certificate")]
    [InlineData("""{ "Kestrel": { "Endpoints": { "good": { "Url": "http://127.0.0.1:0" }, "a": { "Url": "http://localhost:0" } } } }""",
        "$.Kestrel.Endpoints.a", "localhost")]
    [InlineData("""{ "Kestrel": { "Limits": { "MaxRequestLineSize": 0 } } }""", "$.Kestrel", "is refused by Kestrel")]
    [InlineData("""{ "Kestrel": { "Limts": { "MaxRequestLineSize": 100 } } }""", "$.Kestrel.Limts", "did you mean 'Limits'?")]
    [InlineData("""{ "Kestrel": { "Limits": { "MaxRequestLine": 100 } } }""", "$.Kestrel.Limits.MaxRequestLine", "MaxRequestLineSize")]
    [InlineData("""{ "Kestrel": { "Endpoints": { "a": { "Url": "http://127.0.0.1:0", "Protocol": "Http1" } } } }""",
        "$.Kestrel.Endpoints.a.Protocol", "did you mean 'Protocols'?")]
    [InlineData("""{ "Kestrel": { "Endpoints": { "a": { "Url": "http://127.0.0.1:0", "Protocols": "Http7" } } } }""",
        "$.Kestrel.Endpoints.a.Protocols", "is 'Http7'")]
    [InlineData("""{ "Kestrel": { "EndpointDefaults": { "SslProtocols": [ "Tls13", "Tls14" ] } } }""",
        "$.Kestrel.EndpointDefaults.SslProtocols[1]", "is 'Tls14'")]
    public async Task Listener_CannotBeBuilt_NamesItsPlace(string json, string path, string message) =>
        await ShouldBeOnlyProblemAsync(json, path, message);

    [Theory]
    [InlineData("\"Path\": \"NONE\"")]
    [InlineData("\"Path\": \"GARBAGE\", \"Password\": \"x\"")]
    [InlineData("\"Path\": \"PFX\", \"Password\": \"wrong\"")]
    [InlineData("\"Path\": \"PFX\"")]
    [InlineData("\"Path\": \"PEM\"")]
    [InlineData("\"Path\": \"PEM\", \"KeyPath\": \"NONE\"")]
    [InlineData("\"Path\": \"PEM\", \"KeyPath\": \"GARBAGE\"")]
    [InlineData("\"Path\": \"PEM\", \"KeyPath\": \"OTHER\"")]
    public async Task Certificate_CannotBeUsed_NamesItsPlace(string certificate)
    {
        var given = Files(certificate);

        await ShouldBeOnlyProblemAsync(
            $$"""
            { "Kestrel": { "Endpoints": {
              "plain": { "Url": "http://127.0.0.1:0" }, "a": { "Url": "https://127.0.0.1:0", "Certificate": { {{given}} } } } } }
            """,
            "$.Kestrel.Endpoints.a.Certificate", "is refused by Kestrel");
        await ShouldBeOnlyProblemAsync(
            $$"""{ "Urls": "https://127.0.0.1:0", "Kestrel": { "Certificates": { "Default": { {{given}} } } } }""",
            "$.Kestrel.Certificates.Default", "is refused by Kestrel");
    }

    [Theory]
    [InlineData("\"Path\": \"PFX\", \"Password\": \"right\"")]
    [InlineData("\"Path\": \"PEM\", \"KeyPath\": \"KEY\"")]
    public async Task Certificate_AsDocumented_IsGood(string certificate)
    {
        var given = Files(certificate);

        (await ConfigurationFolder.ProblemsAsync(
            $$"""
            { "Kestrel": {
              "AddServerHeader": false, "Limits": { "Http2": { "MaxStreamsPerConnection": 50 } },
              "Endpoints": { "a": {
                "Url": "https://127.0.0.1:0", "Protocols": "Http1AndHttp2", "SslProtocols": [ "tls12", "Tls13" ], "ClientCertificateMode": "AllowCertificate",
                "Certificate": { {{given}} } } } } }
            """)).ShouldBeEmpty();
        (await ConfigurationFolder.ProblemsAsync(
            $$"""{ "Urls": "https://*:0", "Kestrel": { "Certificates": { "Default": { {{given}} } } } }""")).ShouldBeEmpty();
    }

    /// <summary>
    /// A check is no start: an address that is taken, or that this machine does not have, is the machine's matter.
    /// </summary>
    [Fact]
    public async Task Address_Taken_IsGood()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();

        (await ConfigurationFolder.ProblemsAsync($$"""{ "Urls": "http://{{taken.LocalEndpoint}};http://192.0.2.1:80" }""")).ShouldBeEmpty();
    }

    public void Dispose()
    {
        _certificates.Dispose();
        _folder.Dispose();
    }

    private string Files(string text)
    {
        using var server = X509Certificate2.CreateFromPemFile(_certificates.ServerFile);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllBytes(_folder.File("a.pfx"), server.Export(X509ContentType.Pfx, "right"));
        File.WriteAllText(_folder.File("a.pem"), server.ExportCertificatePem());
        File.WriteAllText(_folder.File("a.key"), server.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(_folder.File("other.key"), other.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(_folder.File("garbage"), "no certificate");
        return new (string Word, string File)[]
            { ("NONE", "none"), ("GARBAGE", "garbage"), ("PFX", "a.pfx"), ("PEM", "a.pem"), ("KEY", "a.key"), ("OTHER", "other.key") }
            .Aggregate(
                text,
                (before, file) =>
                    before.Replace($"\"{file.Word}\"", $"\"{_folder.File(file.File)}\"", StringComparison.Ordinal));
    }

    private static async Task ShouldBeOnlyProblemAsync(string json, string path, string message)
    {
        var problem = (await ConfigurationFolder.ProblemsAsync(json)).ShouldHaveSingleItem();
        problem.Path.ShouldBe(path);
        problem.Message.ShouldContain(message);
    }
}
