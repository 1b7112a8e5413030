using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Redis;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>Who may, and over which connection.</summary>
public sealed class RedisAccessTests
{
    /// <summary>All that a gateway needs; docs/stores.md holds the same.</summary>
    private const string Rights =
        "resetkeys ~{fg}:* resetchannels &{fg}:* -@all +@connection +evalsha +eval +subscribe +publish +info "
        + "+config|get +acl|dryrun +time +get +set +incr +hget +hmget +hgetall +hset +hsetnx +hdel +zadd +zrem +zcard "
        + "+zrangebyscore +zrevrangebyscore +zrangebylex +zremrangebylex +lpush +ltrim";

    [Fact]
    public async Task AllCalls_AsAUserWithTheDocumentedRights_Work()
    {
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions { Users = [$"user default on >secret {Rights}"] });
        await using var store = RedisFixture.Make($"127.0.0.1:{server.Port},password=secret", "fg");
        await using var other = RedisFixture.Make($"127.0.0.1:{server.Port},password=secret", "fg");
        var told = new TaskCompletionSource();
        store.Changed += _ => told.TrySetResult();
        var one = await RedisGateway.StartAsync(store);
        var two = await RedisGateway.StartAsync(other);

        (await one.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
        (await two.EnterAsync("a", 2)).Status.ShouldBe(EnterStatus.Draining);
        await told.Task.WithinLimit("a revocation");
        (await one.BeatAsync()).Revoked.Count.ShouldBe(1);
        await one.WithdrawAsync("a");
        (await two.EnterAsync("a", 2)).Status.ShouldBe(EnterStatus.Admitted);
        await other.EndSessionAsync(two.Session, isClean: false, default);
        (await store.ResolveAsync(RedisGateway.Key("a"), default)).ShouldBe(1);
        (await store.SetMarkAsync(
            new SetMarkRequest(one.Session, RedisGateway.Key("a"), 1, TimeSpan.Zero, "reason", "actor"),
            default)).ShouldBeTrue();
        (await store.CountAsync(default)).ShouldBe(1);
        (await store.ListAsync(new MarkQuery("", long.MaxValue, 10), default)).Count.ShouldBe(1);
        await store.EndSessionAsync(one.Session, isClean: true, default);
        store.Info.Grade.ShouldBe(SafetyGrade.Single);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OpenAsync_AsANamedUser_SignsInAsThatUser(bool encrypted)
    {
        using var certificates = new TestCertificates();
        await using var server = await RedisServer.StartAsync(new RedisServerOptions
        {
            Users = [$"user fence on >secret {Rights}", "user default off ~* &* +@all"],
            Certificates = encrypted ? certificates : null,
        });
        await using var store = Make(
            $"{server.Configuration},user=fence,password=secret", certificates.AuthorityFile, null);
        await using var other = Make(
            $"user=fence,{server.Configuration},password=secret", certificates.AuthorityFile, null);
        await using var wrong = Make(
            $"{server.Configuration},user=fence,password=wrong", certificates.AuthorityFile, null);
        await using var nobody = Make($"{server.Configuration},password=secret", certificates.AuthorityFile, null);
        var told = new TaskCompletionSource();
        store.Changed += _ => told.TrySetResult();
        var one = await RedisGateway.StartAsync(store);
        var two = await RedisGateway.StartAsync(other);

        (await one.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
        (await two.EnterAsync("a", 2)).Status.ShouldBe(EnterStatus.Draining);
        await told.Task.WithinLimit("a revocation");
        store.Info.Location.ShouldBe($"127.0.0.1:{server.Port}");
        store.Info.Grade.ShouldBe(SafetyGrade.Single);
        foreach (var refused in new[] { wrong, nobody })
        {
            (await refused.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>()).Message
                .ShouldContain("password");
        }

        await server.RestartAsync();
        await RedisFixture.UntilAsync(async () => (await one.BeatAsync()).Alive);
        (await one.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Stale);
    }

    [Theory]
    [InlineData(false, ",sentinelUser=watch,sentinelPassword=seen", true)]
    [InlineData(true, ",sentinelUser=watch,sentinelPassword=seen", true)]
    [InlineData(false, ",sentinelUser=watch,sentinelPassword=wrong", false)]
    public async Task OpenAsync_BehindASentinelWithUsersOfItsOwn_SignsInToEach(bool encrypted, string user, bool works)
    {
        using var certificates = new TestCertificates();
        await using var master = await RedisServer.StartAsync(new RedisServerOptions
        {
            Users = [$"user fence on >secret {Rights}", "user default on nopass ~* &* +@all"],
            Certificates = encrypted ? certificates : null,
        });
        await using var sentinel = await RedisSentinel.StartAsync(
            master, "user watch on >seen resetchannels -@all +@connection +info +sentinel|get-master-addr-by-name",
            "user default off");
        await using var store = Make(
            $"127.0.0.1:{sentinel.Port},serviceName=fence,user=fence,password=secret{user}"
                + (encrypted ? ",ssl=true,sslHost=localhost" : ""),
            certificates.AuthorityFile, null);

        if (works)
        {
            var gateway = await RedisGateway.StartAsync(store);
            (await gateway.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
            store.Info.Location.ShouldBe($"127.0.0.1:{master.Port}");
        }
        else
        {
            (await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>()).Message
                .ShouldContain("password");
        }
    }

    /// <summary>The configuration names one node, and another one owns the slot.</summary>
    [Fact]
    public async Task AllSteps_AsANamedUserOfACluster_GoToTheNodeThatOwnsTheSlot()
    {
        var options = new RedisServerOptions
        {
            Cluster = true,
            Users = [$"user fence on >secret {Rights} +cluster|nodes +exists", "user default on nopass ~* &* +@all"],
        };
        await using var named = await RedisServer.StartAsync(options);
        await using var owner = await RedisServer.StartAsync(options);
        (await owner.CommandAsync("CLUSTER", "RESET")).ShouldBe("OK");
        (await named.CommandAsync("CLUSTER", "MEET", "127.0.0.1", $"{owner.Port}", $"{owner.BusPort}")).ShouldBe("OK");
        var (slot, id) = (
            await owner.CommandAsync("CLUSTER", "KEYSLOT", "{fg}"), await owner.CommandAsync("CLUSTER", "MYID"));
        await RedisFixture.UntilAsync(
            async () => await named.CommandAsync("CLUSTER", "SETSLOT", slot, "NODE", id) == "OK");
        (await owner.CommandAsync("CLUSTER", "SETSLOT", slot, "NODE", id)).ShouldBe("OK");
        await RedisFixture.UntilAsync(async () =>
            (await owner.CommandAsync("CLUSTER", "INFO")).Contains("cluster_state:ok", StringComparison.Ordinal));
        await using var store = Make($"{named.Configuration},user=fence,password=secret", null, null);
        await using var other = Make($"{named.Configuration},user=fence,password=secret", null, null);
        var told = new TaskCompletionSource();
        store.Changed += _ => told.TrySetResult();
        var (one, two) = (await RedisGateway.StartAsync(store), await RedisGateway.StartAsync(other));

        (await one.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
        (await two.EnterAsync("a", 2)).Status.ShouldBe(EnterStatus.Draining);

        await told.Task.WithinLimit("a revocation");
        (await one.BeatAsync()).Revoked.Count.ShouldBe(1);
        (await owner.CommandAsync("EXISTS", "{fg}:r:a")).ShouldBe("1");
        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("node of a cluster");
    }

    [Theory]
    [InlineData("user default off", "", "user default off ~* &* +@all")]
    [InlineData("user default off ~* &* +@all", "+acl|dryrun", "give the user +acl|dryrun")]
    public async Task Grade_WhereTheUserDefaultMayNotReadTheLog_IsBestEffortAndSaysWhatToChange(
        string defaultUser, string withheld, string expected)
    {
        var rights = withheld.Length == 0 ? Rights : Rights.Replace(withheld, "", StringComparison.Ordinal);
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions { Users = [$"user fence on >secret {rights}", defaultUser] });
        await using var store = Make($"{server.Configuration},user=fence,password=secret", null, null);

        await store.OpenAsync(default);

        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain(expected);
    }

    [Fact]
    public async Task RestartOfTheServer_WithALimitedUserDefault_KeepsTheMarks()
    {
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions { Users = [$"user default on >secret {Rights}"] });
        await using var store = RedisFixture.Make($"127.0.0.1:{server.Port},password=secret", "fg");
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 7);

        await server.RestartAsync();

        await RedisFixture.UntilAsync(async () => (await gateway.EnterAsync("a", 6)).Status == EnterStatus.Stale);
    }

    [Theory]
    [InlineData("+config|get", "CONFIG GET")]
    [InlineData("+info", "INFO")]
    public async Task OpenAsync_WithoutTheRightToAsk_IsBestEffortAndSaysWhy(string right, string expected)
    {
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions
            {
                Users = ["user default on >secret "
                + $"{Rights.Replace(right, "", StringComparison.Ordinal)}"]
            });
        await using var store = RedisFixture.Make($"127.0.0.1:{server.Port},password=secret", "fg");

        await store.OpenAsync(default);

        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain(expected);
    }

    [Theory]
    [InlineData("+evalsha +eval")]
    [InlineData("+publish")]
    [InlineData("&{fg}:*")]
    [InlineData("~{fg}:*")]
    public async Task OpenAsync_WithoutARightThatStepsNeed_SaysWhereTheRightsAreListed(string right)
    {
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions
            {
                Users = ["user default on >secret "
                + $"{Rights.Replace(right, "", StringComparison.Ordinal)}"]
            });
        await using var store = RedisFixture.Make($"127.0.0.1:{server.Port},password=secret", "fg");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));

        var e = await store.OpenAsync(limit.Token).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        e.Message.ShouldContain("docs/stores.md");
    }

    [Fact]
    public async Task OpenAsync_WithoutTheRightToSubscribe_WorksAndWarns()
    {
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions
            {
                Users = ["user default on >secret "
                + $"{Rights.Replace("+subscribe", "", StringComparison.Ordinal)}"]
            });
        var log = new TestLogger<RedisTokenStore>();
        await using var store = RedisFixture.Make($"127.0.0.1:{server.Port},password=secret", "fg", log);

        await store.OpenAsync(default);

        log.Entries.ShouldContain(entry => entry.Id == 2205);
    }

    [Theory]
    [InlineData("")]
    [InlineData(",password=wrong")]
    public async Task OpenAsync_WithoutTheRightPassword_SaysSo(string password)
    {
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Password = "secret" });
        await using var store = RedisFixture.Make($"127.0.0.1:{server.Port}{password}");

        var e = await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        e.Message.ShouldContain("password", customMessage: e.ToString());
        e.Message.ShouldNotContain("wrong,");
    }

    [Fact]
    public async Task Info_WithAPassword_TellsTheAddressOnly()
    {
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Password = "secret" });
        await using var store = RedisFixture.Make(server.Configuration);

        await store.OpenAsync(default);

        store.Info.Location.ShouldBe($"127.0.0.1:{server.Port}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OpenAsync_OverTls_TrustsTheAuthorityGiven(bool clientCertificate)
    {
        using var certificates = new TestCertificates();
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions { Certificates = certificates, AskForClientCertificate = clientCertificate });
        await using var store = Make(
            server.Configuration, certificates.AuthorityFile, clientCertificate ? certificates.ClientFile : null);

        var gateway = await RedisGateway.StartAsync(store);

        (await gateway.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task OpenAsync_OverTlsOfAnotherAuthority_IsRefused()
    {
        using var certificates = new TestCertificates();
        using var others = new TestCertificates();
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Certificates = certificates });
        foreach (var authority in new[] { others.AuthorityFile, null })
        {
            await using var store = Make(server.Configuration, authority, null);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));

            await store.OpenAsync(limit.Token).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();
        }
    }

    private static RedisTokenStore Make(string configuration, string? authority, string? client) => new(
        new RedisTokenStoreOptions
        {
            Configuration = configuration,
            CertificateAuthority = authority,
            ClientCertificate = client,
        },
        TimeProvider.System, NullLogger<RedisTokenStore>.Instance);
}
