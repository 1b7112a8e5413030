using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Redis;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>What the store promises follows from the server's real settings.</summary>
public sealed class RedisGradeTests
{
    [Fact]
    public async Task Grade_OfALogThatIsFlushedAlways_IsSingle()
    {
        await using var server = await RedisServer.StartAsync();

        var info = await OpenAsync(server);

        info.Grade.ShouldBe(SafetyGrade.Single);
        info.GradeReasons.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("appendonly", "no", "set it to yes")]
    [InlineData("appendfsync", "everysec", "set it to always")]
    [InlineData("appendfsync", "no", "set it to always")]
    [InlineData("no-appendfsync-on-rewrite", "yes", "set it to no")]
    [InlineData("maxmemory-policy", "allkeys-lru", "set it to noeviction")]
    public async Task Grade_WithASettingThatCanLoseMarks_IsBestEffortAndSaysWhatToChange(
        string setting, string value, string expected)
    {
        await using var server = await RedisServer.StartAsync();
        (await server.CommandAsync("CONFIG", "SET", setting, value)).ShouldBe("OK");

        var info = await OpenAsync(server);

        info.Grade.ShouldBe(SafetyGrade.BestEffort);
        info.GradeReasons.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            reason => reason.ShouldStartWith($"{setting} is {value}"), reason => reason.ShouldContain(expected));
    }

    [Fact]
    public async Task Grade_WithAReplica_IsBestEffort()
    {
        var (master, replica) = await RedisFixture.StartWithReplicaAsync();
        await using var stoppingMaster = master;
        await using var stoppingReplica = replica;

        // The addresses of both: steps go to the master.
        await using var store = RedisFixture.Make($"{replica.Configuration},{master.Configuration}");
        var gateway = await RedisGateway.StartAsync(store);

        (await gateway.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("1 replica(s)");
    }

    [Fact]
    public async Task Grade_OpenedAgainAfterAChange_IsTheNewOne()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration);
        await store.OpenAsync(default);
        store.Info.Grade.ShouldBe(SafetyGrade.Single);
        (await server.CommandAsync("CONFIG", "SET", "appendfsync", "everysec")).ShouldBe("OK");

        await store.OpenAsync(default);

        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
    }

    [Theory]
    [InlineData("appendonly")]
    [InlineData("appendfsync")]
    [InlineData("no-appendfsync-on-rewrite")]
    [InlineData("maxmemory-policy")]
    public void Grade_WithASettingThatIsNotTold_IsBestEffortAndSaysWhich(string missing)
    {
        Dictionary<string, string> settings = new(StringComparer.Ordinal)
        {
            ["appendonly"] = "yes",
            ["appendfsync"] = "always",
            ["no-appendfsync-on-rewrite"] = "no",
            ["maxmemory-policy"] = "noeviction",
        };
        new RedisServerFacts("master", 0, settings, true).Grade().Grade.ShouldBe(SafetyGrade.Single);
        settings.Remove(missing);

        var (grade, reasons) = new RedisServerFacts("master", 0, settings, true).Grade();

        grade.ShouldBe(SafetyGrade.BestEffort);
        reasons.ShouldHaveSingleItem().ShouldStartWith($"{missing} could not be read");
    }

    [Fact]
    public async Task Grade_OfAReplicaThatHasTakenOver_IsBestEffort()
    {
        var (master, replica) = await RedisFixture.StartWithReplicaAsync();
        await using var stoppingMaster = master;
        await using var stoppingReplica = replica;
        await master.KillAsync();
        (await replica.CommandAsync("REPLICAOF", "NO", "ONE")).ShouldBe("OK");

        var info = await OpenAsync(replica);

        info.Grade.ShouldBe(SafetyGrade.BestEffort);
        info.GradeReasons.ShouldHaveSingleItem().ShouldContain("was a replica before");
    }

    [Fact]
    public async Task Grade_WithSeveralServersInTheConfiguration_IsBestEffort()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make($"{server.Configuration},127.0.0.1:{FreePorts.Next()}");

        await store.OpenAsync(default);

        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("names 2 servers");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Info_ASettingWasChangedWhileItRuns_ShowsTheNewGrade(bool reconnected)
    {
        await using var server = await RedisServer.StartAsync();
        var (time, log) = (new ManualTimeProvider(), new TestLogger<RedisTokenStore>());
        await using var store = new RedisTokenStore(
            new RedisTokenStoreOptions { Configuration = server.Configuration }, time, log);
        var gateway = await RedisGateway.StartAsync(store);
        store.Info.Grade.ShouldBe(SafetyGrade.Single);
        (await server.CommandAsync("CONFIG", "SET", "appendfsync", "everysec")).ShouldBe("OK");

        if (reconnected)
        {
            await server.CommandAsync("CLIENT", "KILL", "TYPE", "normal");
        }
        else
        {
            time.Advance(TimeSpan.FromSeconds(60));
        }

        await RedisFixture.UntilAsync(
            async () => (await gateway.BeatAsync()).Alive && store.Info.Grade == SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("appendfsync");
        log.Entries.ShouldContain(entry => entry.Id == 2206);
    }

    [Fact]
    public async Task RequireGrade_WhenTheGradeSinksWhileItRuns_EndsTheSessionUntilItHasRisen()
    {
        await using var server = await RedisServer.StartAsync();
        await using var session = TestSession.Make(
            RedisFixture.Make(server.Configuration), TimeProvider.System,
            new StoreClientOptions { RequireGrade = SafetyGrade.Single, TimeToLive = TimeSpan.FromSeconds(3) });
        await session.OpenAsync(default);
        (await server.CommandAsync("CONFIG", "SET", "appendfsync", "everysec")).ShouldBe("OK");
        await server.CommandAsync("CLIENT", "KILL", "TYPE", "normal");

        await RedisFixture.UntilAsync(() => Task.FromResult(
            session.Fault?.Contains("RequireGrade is Single", StringComparison.Ordinal) == true));

        session.Current!.IsAlive.ShouldBeFalse();
        (await server.CommandAsync("CONFIG", "SET", "appendfsync", "always")).ShouldBe("OK");
        await RedisFixture.UntilAsync(() => Task.FromResult(session.Fault is null && session.Current.IsAlive));
    }

    [Fact]
    public async Task AllSteps_OnAClusterOfOneNode_WorkAndAreGraded()
    {
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Cluster = true });
        var prefix = RedisFixture.NextPrefix();
        await using var store = RedisFixture.Make(server.Configuration, prefix);
        await using var other = RedisFixture.Make(server.Configuration, prefix);
        var told = new TaskCompletionSource();
        store.Changed += _ => told.TrySetResult();
        var one = await RedisGateway.StartAsync(store);
        var two = await RedisGateway.StartAsync(other);

        (await one.EnterAsync("a{b}c", 1)).Status.ShouldBe(EnterStatus.Admitted);
        (await two.EnterAsync("a{b}c", 2)).Status.ShouldBe(EnterStatus.Draining);
        await told.Task.WithinLimit("a revocation");
        await store.WithdrawAsync(
            one.Session,
            [new Registration(RedisGateway.Key("a{b}c"), 9), new Registration(RedisGateway.Key("other"), 9)], default);
        (await two.EnterAsync("a{b}c", 2)).Status.ShouldBe(EnterStatus.Admitted);
        (await store.ListAsync(new MarkQuery("", long.MaxValue, 10), default)).Count.ShouldBe(1);
        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("node of a cluster");
    }

    private static async Task<TokenStoreInfo> OpenAsync(RedisServer server)
    {
        await using var store = RedisFixture.Make(server.Configuration);
        await store.OpenAsync(default);
        return store.Info;
    }
}
