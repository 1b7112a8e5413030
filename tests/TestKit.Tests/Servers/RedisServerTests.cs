namespace FenceGateway.TestKit.Tests.Servers;

public sealed class RedisServerTests
{
    [Fact]
    public async Task RestartAsync_AfterSigkill_KeepsWhatWasAnswered()
    {
        await using var server = await RedisServer.StartAsync();
        (await server.CommandAsync("SET", "key", "42")).ShouldBe("OK");
        var id = server.Id;

        await server.KillAsync();
        await server.RestartAsync();

        server.Id.ShouldNotBe(id);
        (await server.CommandAsync("GET", "key")).ShouldBe("42");
    }

    [Fact]
    public async Task RestartEmptyAsync_WithData_LosesIt()
    {
        await using var server = await RedisServer.StartAsync();
        (await server.CommandAsync("SET", "key", "42")).ShouldBe("OK");

        await server.RestartEmptyAsync();

        (await server.CommandAsync("GET", "key")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Pause_UntilContinue_NothingIsAnswered()
    {
        await using var server = await RedisServer.StartAsync();
        server.Pause();
        await Eventually.IsSoAsync(
            async () =>
                (await File.ReadAllTextAsync($"/proc/{server.Id}/stat")).Contains(") T ", StringComparison.Ordinal),
                "it to stand still");
        var reply = server.CommandAsync("PING");
        reply.IsCompleted.ShouldBeFalse();

        server.Continue();

        (await reply).ShouldBe("PONG");
    }

    [Fact]
    public async Task StartAsync_WithCertificates_TakesEncryptedConnectionsOfTheAuthority()
    {
        using var certificates = new TestCertificates();
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions { Certificates = certificates, AskForClientCertificate = true });

        (await server.CommandAsync("PING")).ShouldBe("PONG");
    }

    [Fact]
    public async Task StartAsync_AsCluster_OwnsEverySlot()
    {
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Cluster = true });

        (await server.CommandAsync("SET", "key", "42")).ShouldBe("OK");
        (await server.CommandAsync("CLUSTER", "SLOTS")).ShouldContain("16383");
    }

    [Fact]
    public async Task StartAsync_WithAnArgumentThatRedisDoesNotKnow_TellsWhatItSaid()
    {
        var start = () => RedisServer.StartAsync(new RedisServerOptions { Arguments = ["--no-such-setting", "1"] });

        (await start.ShouldThrowAsync<InvalidOperationException>()).Message.ShouldContain("no-such-setting");
    }

    [Fact]
    public async Task Users_WithAPassword_CanSignIn()
    {
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions
            { Users = ["user default on nopass ~* +@all", "user fence on >secret ~{fg}:* +get"] });

        (await server.CommandAsync("ACL", "DRYRUN", "fence", "GET", "{fg}:key")).ShouldBe("OK");
        (await server.CommandAsync("ACL", "DRYRUN", "fence", "GET", "other")).ShouldContain("no permissions");
    }
}
