using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Etcd;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>An etcd that speaks TLS only and asks its clients for a certificate.</summary>
public sealed class EtcdTlsTests : IAsyncLifetime
{
    private readonly TestCertificates _certificates = new();
    private readonly TestCertificates _others = new();
    private EtcdServer? _server;

    private EtcdServer Server => _server ?? throw new InvalidOperationException("Not started.");

    public async ValueTask InitializeAsync() => _server = await EtcdServer.StartAsync(_certificates);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _certificates.Dispose();
        _others.Dispose();
    }

    [Fact]
    public async Task AllCalls_WithTheRightCertificates_WorkAndTheWatchTells()
    {
        await using var one = await StartAsync();
        await using var two = await StartAsync();

        (await one.EnterAsync("a", 5)).Status.ShouldBe(EnterStatus.Admitted);
        (await two.EnterAsync("a", 6)).Status.ShouldBe(EnterStatus.Draining);
        (await one.HearAsync("a")).Mark.ShouldBe(6);
        (await one.BeatAsync()).Alive.ShouldBeTrue();
        one.Store.Info.Location.ShouldBe(Server.Address);
    }

    [Fact]
    public async Task OpenAsync_CertificateOfAnAuthorityInBetween_IsShownWithThatOnes()
    {
        await using var store = Make(Options(_certificates.AuthorityFile, _certificates.ChainedClientFile));
        await store.OpenAsync(default);
    }

    [Fact]
    public async Task AllCalls_AsAUserAsWell_Work()
    {
        await Server.EnableAuthAsync("sesame");
        var options = Options(_certificates.AuthorityFile, _certificates.ClientFile);
        (options.UserName, options.Password) = ("root", () => "sesame");
        await using var store = Make(options);
        await using var nobody = Make(Options(_certificates.AuthorityFile, _certificates.ClientFile));

        await store.OpenAsync(default);
        await store.StartSessionAsync("s", TimeSpan.FromSeconds(30), default);
        (await store.HeartbeatAsync("s", default)).Alive.ShouldBeTrue();
        await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await nobody.OpenAsync(default), "a certificate is no user");
    }

    [Fact]
    public async Task AllCalls_AsAUserWithACertificateThatHasACommonName_AreTheUsers()
    {
        await Server.EnableAuthAsync("sesame");
        var options = Options(_certificates.AuthorityFile, _certificates.ServerFile);
        (options.UserName, options.Password) = ("root", () => "sesame");
        await using var store = Make(options);

        await store.OpenAsync(default);
    }

    [Fact]
    public async Task OpenAsync_WrongPasswordAndACertificate_IsRefusedWithoutRepeatingIt()
    {
        await Server.EnableAuthAsync("sesame");
        var options = Options(_certificates.AuthorityFile, _certificates.ClientFile);
        (options.UserName, options.Password) = ("root", () => "abracadabra");
        await using var store = Make(options);

        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await store.OpenAsync(default));

        refused.Message.ShouldContain("authentication failed");
        refused.Message.ShouldNotContain("abracadabra");
    }

    [Theory]
    [InlineData("no certificate", "TokenStore:Etcd:ClientCertificate")]
    [InlineData("another authority's certificate", "TokenStore:Etcd:ClientCertificate")]
    [InlineData("no authority", "No TLS with 127.0.0.1")]
    [InlineData("another authority", "No TLS with 127.0.0.1")]
    [InlineData("no such file", "The file of TokenStore:Etcd:ClientCertificate, ")]
    [InlineData("no key in it", "The file of TokenStore:Etcd:ClientCertificate, ")]
    [InlineData("no authority in it", "The file of TokenStore:Etcd:CertificateAuthority, ")]
    public async Task OpenAsync_WithoutTheRightCertificates_SaysWhatIsWrongAndNoSecret(string what, string expected)
    {
        var (authority, client) = (_certificates.AuthorityFile, _certificates.ClientFile);
        await using var store = Make(what switch
        {
            "no certificate" => Options(authority, null),
            "another authority's certificate" => Options(authority, _others.ClientFile),
            "no authority" => Options(null, client),
            "another authority" => Options(_others.AuthorityFile, client),
            "no such file" => Options(authority, "/nowhere.pem"),
            "no key in it" => Options(authority, authority),
            _ => Options("/dev/null", client),
        });

        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await store.OpenAsync(default));

        refused.Message.ShouldContain(expected, customMessage: refused.ToString());
        refused.Message.ShouldNotContain("PRIVATE");
    }

    [Fact]
    public async Task OpenAsync_CertificatesRenewedInPlace_TakesTheNewOnes()
    {
        using var folder = new TempFolder();
        var (authority, client) = (folder.File("ca.pem"), folder.File("client.pem"));
        File.Copy(_others.AuthorityFile, authority);
        File.Copy(_others.ClientFile, client);
        await using var store = Make(Options(authority, client));
        await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.OpenAsync(default));

        File.Copy(_certificates.AuthorityFile, authority, overwrite: true);
        File.Copy(_certificates.ClientFile, client, overwrite: true);

        await store.OpenAsync(default);
    }

    private static EtcdTokenStore Make(EtcdTokenStoreOptions options) =>
        new(options, TimeProvider.System, new TestLogger<EtcdTokenStore>());

    private EtcdTokenStoreOptions Options(string? authority, string? client) =>
        new() { Endpoints = [Server.Address], CertificateAuthority = authority, ClientCertificate = client };

    private Task<EtcdGateway> StartAsync() =>
        EtcdGateway.StartAsync(
            Options(_certificates.AuthorityFile, _certificates.ClientFile), TimeSpan.FromSeconds(30));
}
