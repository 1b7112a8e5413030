using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FenceGateway.Gateway.Listeners;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace FenceGateway.Gateway.Tests.Listeners;

/// <summary>What an operator is told of renewed certificates, each thing once.</summary>
public sealed class ServerCertificatesTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fencegateway-");
    private readonly ListLogger _log = new();
    private readonly ServerCertificates _certificates;

    public ServerCertificatesTests()
    {
        Write("first");
        _certificates = new ServerCertificates(
            new ConfigurationBuilder()
                .AddInMemoryCollection([
                    new("Kestrel:Certificates:Default:Path", File), new("Kestrel:Certificates:Default:KeyPath", File)])
                .Build(),
            _log);
    }

    private string File => Path.Combine(_folder.FullName, "tls.pem");

    [Fact]
    public void Look_NothingHasChanged_SaysNothing()
    {
        _certificates.Look();
        System.IO.File.SetLastWriteTimeUtc(File, DateTime.UnixEpoch);
        _certificates.Look();

        _log.Lines.ShouldBeEmpty();
    }

    [Fact]
    public void Look_Renewed_SaysWhichAndUntilWhen()
    {
        Write("second");

        _certificates.Look();
        _certificates.Look();

        var line = _log.Lines.ShouldHaveSingleItem();
        line.ShouldStartWith("Information 1110");
        line.ShouldContain("CN=second");
        line.ShouldContain(File);
    }

    [Theory]
    [InlineData("no certificate at all")]
    [InlineData("")]
    [InlineData("-----BEGIN CERTIFICATE-----\nAAAA")]
    public void Look_CannotBeUsed_WarnsOnceForEachContent(string content)
    {
        System.IO.File.WriteAllText(File, content);
        _certificates.Look();
        _certificates.Look();
        _log.Lines.ShouldHaveSingleItem().ShouldStartWith("Warning 1111");

        System.IO.File.Delete(File);
        _certificates.Look();
        _certificates.Look();

        // A file that is not there and one that is empty are the same.
        _log.Lines.Count.ShouldBe(content.Length > 0 ? 2 : 1);
    }

    /// <summary>
    /// A copy that broke off between two certificates of a chain is whole; one that broke off within one is not.
    /// </summary>
    [Fact]
    public void Look_ChainIsCutOff_KeepsTheOneBefore()
    {
        var chain = System.IO.File.ReadAllText(File);
        System.IO.File.AppendAllText(File, chain[..(chain.Length / 4)]);

        _certificates.Look();

        _log.Lines.ShouldHaveSingleItem().ShouldStartWith("Warning 1111");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private void Write(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var from = TimeProvider.System.GetUtcNow();
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(from, from.AddDays(1));
        System.IO.File.WriteAllText(File, $"{certificate.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n");
    }

    private sealed class ListLogger : ILogger<ServerCertificates>
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            Lines.Add($"{logLevel} {eventId.Id}: {formatter(state, exception)}");
    }
}
