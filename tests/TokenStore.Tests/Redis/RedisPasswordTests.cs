using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Redis;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>User and password beside the configuration string, and asked for with each connection.</summary>
public sealed class RedisPasswordTests
{
    private const string Strange = "one,ssl=true;'\"=, two";

    [Fact]
    public async Task OpenAsync_PasswordWithSeparators_SignsInAndShowsNothingOfIt()
    {
        await using var server = await StartServerAsync(Strange);
        await using var store = Make(server, () => Strange);

        var gateway = await RedisGateway.StartAsync(store);

        (await gateway.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
        store.Info.Location.ShouldBe($"127.0.0.1:{server.Port}");
    }

    [Fact]
    public async Task OpenAsync_WrongPassword_IsRefusedWithoutRepeatingIt()
    {
        await using var server = await StartServerAsync("right");
        await using var store = Make(server, () => "abra,cadabra");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));

        var refused = await store.OpenAsync(limit.Token).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        refused.ToString().ShouldNotContain("cadabra");
    }

    [Fact]
    public async Task Connection_AfterThePasswordWasChanged_UsesTheNewOne()
    {
        var password = "one,1";
        await using var server = await StartServerAsync(password);
        await using var store = Make(server, () => password);
        var gateway = await RedisGateway.StartAsync(store);
        (await gateway.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);

        password = "two,2";
        await server.CommandAsync("ACL", "SETUSER", "fence", "resetpass", $">{password}");
        await server.CommandAsync("CLIENT", "KILL", "USER", "fence");

        await RedisFixture.UntilAsync(async () => (await gateway.EnterAsync("a", 2)).Status == EnterStatus.Admitted);
    }

    [Fact]
    public async Task Connection_WhileThereIsNoPassword_ComesBackWhenThereIsOne()
    {
        string? password = "one";
        await using var server = await StartServerAsync(password);
        await using var store = Make(
            server, () => password ?? throw new TokenStoreUnavailableException("no such file") { NotTaken = true });
        var gateway = await RedisGateway.StartAsync(store);

        password = null;
        await server.CommandAsync("CLIENT", "KILL", "USER", "fence");
        await Eventually.IsSoAsync(
            async () =>
                await gateway.BeatAsync().AsTask().ContinueWith(static beat => beat.IsFaulted, TaskScheduler.Default),
                "the connection to be lost");
        password = "one";

        await RedisFixture.UntilAsync(async () => (await gateway.EnterAsync("a", 2)).Status == EnterStatus.Admitted);
    }

    [Theory]
    [InlineData("a:1,password=x,cadabra")]
    [InlineData("a:1,password=x,cadabra:7")]
    [InlineData("a:1,password=x,cadabra=1")]
    [InlineData("a:1,serviceName=m,sentinelPassword=x,cadabra")]
    [InlineData("a:1,password=x,serviceName=cadabra")]
    public async Task OpenAsync_RestOfAPasswordThatWouldBeShown_IsRefusedWithoutRepeatingIt(string configuration)
    {
        await using var store = new RedisTokenStore(
            new RedisTokenStoreOptions { Configuration = configuration }, TimeProvider.System, NullLogger<RedisTokenStore>.Instance);

        var refused = await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        string.Concat(refused, store.Info, store.Fault).ShouldNotContain("cadabra");
    }

    [Fact]
    public void Read_PasswordOfNow_IsTheMastersAndTheSentinels()
    {
        var settings = RedisLinkSettings.Read("a:1,serviceName=m", user: "fence", password: () => Strange);

        settings.At(new System.Net.DnsEndPoint("b", 2)).Options.Password.ShouldBe(Strange);
        settings.ForSentinels().Password.ShouldBe(Strange);
        settings.Options.ToString(includePassword: false).ShouldNotContain("two");
        settings.IsNamedUser.ShouldBeTrue();
    }

    /// <summary>Who has not signed in may change users, and nothing else.</summary>
    private static async Task<RedisServer> StartServerAsync(string password)
    {
        var server = await RedisServer.StartAsync();
        (await server.CommandAsync("ACL", "SETUSER", "fence", "on", $">{password}", "~*", "&*", "+@all")).ShouldBe(
            "OK");
        (await server.CommandAsync("ACL", "SETUSER", "default", "-@all", "+acl", "+client", "+auth", "+hello", "+ping"))
            .ShouldBe("OK");
        return server;
    }

    private static RedisTokenStore Make(RedisServer server, Func<string> password) => new(
        new RedisTokenStoreOptions { Configuration = $"127.0.0.1:{server.Port}", User = "fence", Password = password },
        TimeProvider.System, NullLogger<RedisTokenStore>.Instance);
}
