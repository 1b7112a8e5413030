using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

/// <summary>A server that speaks TLS on one port, where it asks for certificates, and plainly on another one.</summary>
public sealed class SecureZooKeeperFixture : IAsyncLifetime
{
    private ZooKeeperServer? _server;

    public ZooKeeperServer Server => _server ?? throw new InvalidOperationException("Not started.");

    public TestCertificates Certificates { get; } = new();

    public async ValueTask InitializeAsync() => _server = await ZooKeeperServer.StartAsync(Certificates);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Certificates.Dispose();
    }
}

/// <summary>Who may, and over which connection.</summary>
public sealed class ZooKeeperAccessTests(SecureZooKeeperFixture secure)
    : IClassFixture<SecureZooKeeperFixture>, IAsyncDisposable
{
    // At the top: a node above it would be of the user who came first.
    private readonly string _root = $"/t{Guid.NewGuid():N}";
    private readonly TestLogger<ZooKeeperTokenStore> _logger = new();
    private readonly TestCertificates _others = new();
    private readonly List<ZooKeeperTokenStore> _stores = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        _others.Dispose();
    }

    [Fact]
    public async Task AllCalls_OverTlsAndAsAUser_Work()
    {
        var (one, two) = (await StartAsync(Secure("alice:sesame")), await StartAsync(Secure("alice:sesame")));

        (await one.EnterAsync("r", 5)).Status.ShouldBe(EnterStatus.Admitted);
        (await two.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        await one.ChangedAsync("r");
        (await one.HeartbeatAsync()).Alive.ShouldBeTrue();
        await one.WithdrawAsync("r");
        (await two.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
        (await two.Store.ListAsync(new MarkQuery("", long.MaxValue, 10), default)).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("no certificate", "TokenStore:ZooKeeper:ClientCertificate")]
    [InlineData("another authority's certificate", "TokenStore:ZooKeeper:ClientCertificate")]
    [InlineData("no authority", "No TLS with 127.0.0.1")]
    [InlineData("another authority", "No TLS with 127.0.0.1")]
    [InlineData("a port without TLS", "No TLS with 127.0.0.1")]
    [InlineData("no such file", "The file of TokenStore:ZooKeeper:ClientCertificate, ")]
    public async Task OpenAsync_WithoutTheRightCertificates_SaysWhatIsWrong(string what, string expected)
    {
        var options = Secure();
        switch (what)
        {
            case "no certificate":
                options.ClientCertificate = null;
                break;
            case "another authority's certificate":
                options.ClientCertificate = _others.ClientFile;
                break;
            case "no authority":
                options.CertificateAuthority = null;
                break;
            case "another authority":
                options.CertificateAuthority = _others.AuthorityFile;
                break;
            case "a port without TLS":
                options.ConnectionString = secure.Server.ConnectionString;
                break;
            default:
                options.ClientCertificate = "/nowhere.pem";
                break;
        }

        var store = Make(options);
        var message = "";
        // A busy machine may not even shake hands in the time that an attempt has.
        await Eventually.IsSoAsync(
            async () =>
            {
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2), TimeProvider.System);
                message =
                    (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.OpenAsync(limit.Token))).Message;
                return message.Contains(expected, StringComparison.Ordinal);
            },
            $"'{expected}' is told");

        message.ShouldNotContain("PRIVATE");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Connection_CutAndBack_SaysWhoItIsAgainBeforeAnythingElse(bool encrypted)
    {
        await using var proxy = new TcpProxy(encrypted ? secure.Server.SecurePort : secure.Server.Port);
        using var folder = new TempFolder();
        var options = Secure("alice:sesame");
        options.Tls = encrypted;
        options.ConnectionString = $"127.0.0.1:{proxy.Port}";
        var client = folder.File("client.pem");
        File.Copy(secure.Certificates.ClientFile, client);
        options.ClientCertificate = client;
        var one = await StartAsync(options);
        var two = await StartAsync(Plain("alice:sesame"));
        await one.EnterAsync("r", 5);
        await one.EnterAsync("s", 5);

        for (var round = 0; round < 3; round++)
        {
            var token = 6 + round;
            proxy.Cut();
            await Eventually.IsSoAsync(() => one.Store.Fault is not null, "the connection is lost");
            (await two.EnterAsync("r", token)).Status.ShouldBe(EnterStatus.Draining);
            proxy.Heal();
            await Eventually.IsSoAsync(() => one.Store.Fault is null, "the connection is back");
            (await one.EnterAsync("s", token)).Status.ShouldBe(EnterStatus.Admitted);
            await one.ChangedAsync("r");
            (await one.HeartbeatAsync()).Alive.ShouldBeTrue();
        }

        if (encrypted)
        {
            File.Copy(_others.ClientFile, client, overwrite: true);
            proxy.Cut();
            proxy.Heal();
            await Eventually.IsSoAsync(
                () => one.Store.Fault?.Contains("ClientCertificate", StringComparison.Ordinal) ?? false,
                "the new file is read, and refused");
            File.Copy(secure.Certificates.ClientFile, client, overwrite: true);
            await Eventually.IsSoAsync(() => one.Store.Fault is null, "the next new file is read");
        }
    }

    [Fact]
    public async Task Nodes_OfAUser_CannotBeReadWrittenOrDeletedByOthers()
    {
        var one = await StartAsync(Plain("alice:sesame"));
        await one.EnterAsync("r", 5);
        var paths = ZooKeeperPaths.Parse(_root);
        foreach (var other in new byte[]?[] { null, "alice:wrong"u8.ToArray(), "bob:sesame"u8.ToArray() })
        {
            await using var client = new ZooKeeperClient(
                ServerList.Parse(secure.Server.ConnectionString), TimeSpan.FromSeconds(10), other, TimeProvider.System,
                new TestLogger<ZooKeeperClient>());
            await client.ConnectAsync(default).WithinLimit("a connection");
            foreach (var path in new[] { paths.Resource("r"), paths.Session(one.Session), paths.Format })
            {
                (await client.SendAsync(ZooKeeperRequest.GetData(path, watch: false), default)).Error.ShouldBe(
                    ZooKeeperError.NoAuth, path);
                (await client.SendAsync(ZooKeeperRequest.Multi(MultiOperation.SetData(path, [1], -1)), default)).Value[0].Error
                    .ShouldBe(ZooKeeperError.NoAuth, path);
                (await client.SendAsync(ZooKeeperRequest.Delete(path), default)).Error.ShouldBe(
                    ZooKeeperError.NoAuth, path);
            }

            (await client.SendAsync(ZooKeeperRequest.Create(paths.Resource("x"), [], ephemeral: false, restricted: false), default)).Error
                .ShouldBe(ZooKeeperError.NoAuth);
        }

        (await one.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
        _logger.Entries.ShouldNotContain(e => e.Id == 2277);
    }

    [Theory]
    [InlineData("alice:wrong")]
    [InlineData(null)]
    public async Task OpenAsync_WrongPasswordOrNone_SaysWhichOptionAndNotThePassword(string? auth)
    {
        await Make(Plain("alice:sesame")).OpenAsync(default);

        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await Make(Plain(auth)).OpenAsync(default));

        refused.Message.ShouldContain("TokenStore:ZooKeeper:User");
        refused.Message.ShouldNotContain("wrong");
    }

    [Fact]
    public async Task OpenAsync_NodesFromBeforeThereWasAUser_WorksAndWarnsThatTheyAreOpen()
    {
        var before = await StartAsync(Plain());
        await before.EnterAsync("r", 5);

        var after = await StartAsync(Plain("alice:sesame"));

        (await after.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        (await after.EnterAsync("s", 6)).Status.ShouldBe(EnterStatus.Admitted);
        _logger.Entries.ShouldContain(e => e.Id == 2277);
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => before.EnterAsync("s", 7));
        refused.Message.ShouldContain("TokenStore:ZooKeeper:User");
    }

    private ZooKeeperTokenStoreOptions Plain(string? auth = null) =>
        new() { ConnectionString = secure.Server.ConnectionString, Root = _root, Auth = auth };

    private ZooKeeperTokenStoreOptions Secure(string? auth = null) => new()
    {
        ConnectionString = $"127.0.0.1:{secure.Server.SecurePort}",
        Root = _root,
        Tls = true,
        CertificateAuthority = secure.Certificates.AuthorityFile,
        ClientCertificate = secure.Certificates.ClientFile,
        Auth = auth,
    };

    private ZooKeeperTokenStore Make(ZooKeeperTokenStoreOptions options)
    {
        var store = new ZooKeeperTokenStore(options, TimeProvider.System, _logger);
        _stores.Add(store);
        return store;
    }

    private async Task<ConformanceGateway> StartAsync(ZooKeeperTokenStoreOptions options)
    {
        var store = Make(options);
        var gateway = new ConformanceGateway(store);
        await store.OpenAsync(default);
        await gateway.StartSessionAsync();
        return gateway;
    }
}
