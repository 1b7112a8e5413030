using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Redis;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>A Redis that forgets scripts, stands still, dies, comes back, or comes back as another one.</summary>
public sealed class RedisFaultTests
{
    private readonly TestLogger<RedisTokenStore> _log = new();

    [Fact]
    public async Task EnterAsync_AfterScriptFlush_GoesOn()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration);
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 1);

        (await server.CommandAsync("SCRIPT", "FLUSH")).ShouldBe("OK");

        var replies = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => gateway.EnterAsync($"r{i}", 1).AsTask()));
        replies.ShouldAllBe(reply => reply.Status == EnterStatus.Admitted);
    }

    [Fact]
    public async Task EnterAsync_AfterKillAndRestart_KnowsTheMarksAndTheSession()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration, logger: _log);
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 7);

        await server.KillAsync();
        await RedisFixture.UntilAsync(() => Task.FromResult(store.Fault is not null));
        (await gateway.EnterAsync("a", 8).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>()).NotTaken
            .ShouldBeTrue();

        await server.RestartAsync();
        await RedisFixture.UntilAsync(async () => (await gateway.EnterAsync("a", 6)).Status == EnterStatus.Stale);
        store.Fault.ShouldBeNull();
        (await gateway.BeatAsync()).Alive.ShouldBeTrue();
        (await gateway.EnterAsync("a", 8)).Status.ShouldBe(EnterStatus.Admitted);
        _log.Entries.ShouldContain(entry => entry.Id == 2201);
        _log.Entries.ShouldContain(entry => entry.Id == 2202);
    }

    [Fact]
    public async Task Changed_AfterARestart_IsCalledAgain()
    {
        await using var server = await RedisServer.StartAsync();
        var prefix = RedisFixture.NextPrefix();
        await using var first = RedisFixture.Make(server.Configuration, prefix);
        await using var second = RedisFixture.Make(server.Configuration, prefix);
        var told = new TaskCompletionSource<ResourceChange>();
        first.Changed += change => told.TrySetResult(change);
        var one = await RedisGateway.StartAsync(first);
        var two = await RedisGateway.StartAsync(second);

        await server.RestartAsync();
        await RedisFixture.UntilAsync(async () => (await one.EnterAsync("a", 1)).Status == EnterStatus.Admitted);
        await RedisFixture.UntilAsync(async () => (await two.BeatAsync()).Alive);
        var token = 2;
        await RedisFixture.UntilAsync(async () =>
        {
            await two.EnterAsync("a", token++, oldest: 1);
            await Task.WhenAny(told.Task, Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System));
            return told.Task.IsCompleted;
        });
    }

    [Fact]
    public async Task EnterAsync_WhileTheServerStandsStill_EndsWhenItsTokenSaysAndALateReplyHarmsNothing()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration);
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 1, sequence: 1);
        server.Pause();

        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        var late = gateway.EnterAsync("a", 2, sequence: 2, cancel: limit.Token).AsTask();
        var e = await late.WithinLimit("the call to end").ShouldThrowAsync<TokenStoreUnavailableException>();
        e.NotTaken.ShouldBeFalse();
        e.Message.ShouldContain("did not answer in time");
        server.Continue();

        // Carried out late all the same: the mark has risen, and the gateway that gave it up goes on from there.
        await RedisFixture.UntilAsync(
            async () => (await store.FindAsync(RedisGateway.Key("a"), default))!.Value.Mark == 2);
        (await gateway.EnterAsync("a", 1, sequence: 3)).Status.ShouldBe(EnterStatus.Stale);
        await gateway.WithdrawAsync("a", sequence: 2);
        (await store.FindAsync(RedisGateway.Key("a"), default))!.Value.Writers.ShouldBeEmpty();
    }

    [Fact]
    public async Task AnyCall_WithATokenThatIsCancelled_SendsNothing()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration);
        var gateway = await RedisGateway.StartAsync(store);

        var e = await gateway.EnterAsync("a", 1, cancel: new CancellationToken(true)).AsTask()
            .ShouldThrowAsync<TokenStoreUnavailableException>();

        e.NotTaken.ShouldBeTrue();
        (await store.CountAsync(default)).ShouldBe(0);
    }

    [Fact]
    public async Task OpenAsync_WhileTheServerStandsStill_EndsWhenItsTokenSaysAndWorksLater()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration);
        server.Pause();
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));

        await store.OpenAsync(limit.Token).AsTask()
            .WithinLimit("the call to end").ShouldThrowAsync<TokenStoreUnavailableException>();
        store.Fault.ShouldNotBeNull();
        server.Continue();

        await store.OpenAsync(default);
        store.Fault.ShouldBeNull();
    }

    [Fact]
    public async Task OpenAsync_WithNobodyThere_SaysSo()
    {
        await using var store = RedisFixture.Make($"127.0.0.1:{FreePorts.Next()},connectTimeout=1000");

        var e = await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        e.NotTaken.ShouldBeTrue();
        e.Message.ShouldContain("cannot be reached");
    }

    [Theory]
    [InlineData("127.0.0.1:6379,no-such-option=1", "no-such-option")]
    [InlineData("", "is empty")]
    [InlineData("ssl=false", "names no server")]
    [InlineData("127.0.0.1:6379,channelPrefix=x", "KeyPrefix")]
    [InlineData("127.0.0.1:6379,protocol=resp2", "RESP3 is spoken")]
    [InlineData("127.0.0.1:6379,asyncTimeout=5000", "when its session says so")]
    public async Task OpenAsync_WithSettingsThatAreNone_SaysWhich(string configuration, string expected)
    {
        await using var store = RedisFixture.Make(configuration);

        var e = await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        e.Message.ShouldContain(expected);
    }

    [Fact]
    public async Task OpenAsync_AgainAfterTheDataWasLost_LogsAnError()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration, logger: _log);
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 7);

        await server.RestartEmptyAsync();
        await RedisFixture.UntilAsync(async () => !(await gateway.BeatAsync()).Alive);
        await store.OpenAsync(default);

        _log.Entries.ShouldContain(entry => entry.Id == 2203 && entry.Level == LogLevel.Error);
    }

    [Fact]
    public async Task HeartbeatAsync_AfterTheLastChangesWereLost_LogsAnError()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration, logger: _log);
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 7);
        await server.RestartAsync(static folder => CopyFolder(folder, folder + ".old"));
        await RedisFixture.UntilAsync(async () => (await gateway.EnterAsync("a", 8)).Status == EnterStatus.Admitted);
        await gateway.BeatAsync();

        await server.RestartAsync(static folder =>
        {
            Directory.Delete(folder, recursive: true);
            CopyFolder(folder + ".old", folder);
        });
        await RedisFixture.UntilAsync(async () => (await gateway.BeatAsync()).Alive);

        _log.Entries.ShouldContain(entry => entry.Id == 2204 && entry.Level == LogLevel.Error);
    }

    [Fact]
    public async Task EnterAsync_WhenMemoryIsShort_IsRefusedAsNotTakenAndWithdrawalsWork()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration);
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 1, sequence: 1);
        (await server.CommandAsync("CONFIG", "SET", "maxmemory", "1")).ShouldBe("OK");

        var e = await gateway.EnterAsync("a", 2, sequence: 2)
            .AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        e.NotTaken.ShouldBeTrue();
        e.Message.ShouldContain("maxmemory");
        await gateway.WithdrawAsync("a", sequence: 2);
        var record = (await store.FindAsync(RedisGateway.Key("a"), default))!.Value;
        (record.Mark, record.Writers.Count).ShouldBe((1L, 0));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Session_WhenMemoryIsShort_LivesAndEnds(bool isClean)
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration);
        var one = await RedisGateway.StartAsync(store);
        var two = await RedisGateway.StartAsync(store);
        await one.EnterAsync("a", 1);
        (await server.CommandAsync("CONFIG", "SET", "maxmemory", "1")).ShouldBe("OK");

        (await one.BeatAsync()).Alive.ShouldBeTrue();
        await store.EndSessionAsync(one.Session, isClean, default);

        (await one.BeatAsync()).Alive.ShouldBeFalse();
        (await server.CommandAsync("CONFIG", "SET", "maxmemory", "0")).ShouldBe("OK");
        (await two.EnterAsync("a", 2, hold: TimeSpan.Zero)).Status.ShouldBe(EnterStatus.Admitted);
    }

    /// <summary>
    /// The gateway's clock stands still here, so the server's has gone forward: what ended the session is what has to
    /// be told.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ClockThatIsSetForward_EndsTheSession_AndIsAnError(bool stepFindsOut)
    {
        await using var server = await RedisServer.StartAsync();
        var prefix = RedisFixture.NextPrefix();
        await using var store = new RedisTokenStore(
            new RedisTokenStoreOptions { Configuration = server.Configuration, KeyPrefix = prefix }, new ManualTimeProvider(), _log);
        var gateway = await RedisGateway.StartAsync(store, TimeSpan.FromMilliseconds(300));
        await gateway.EnterAsync("b", 1);
        await using var other = RedisFixture.Make(server.Configuration, prefix);
        await other.OpenAsync(default);
        await RedisFixture.UntilAsync(async () =>
            (await other.FindAsync(RedisGateway.Key("b"), default))!.Value.Writers.Any(
                w => w.EndedFor > TimeSpan.FromSeconds(0.7)));
        _log.Entries.ShouldNotContain(entry => entry.Id == 2207);

        if (stepFindsOut)
        {
            (await gateway.EnterAsync("a", 1).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>()).SessionEnded
                .ShouldBeTrue();
            await store.OpenAsync(default);
        }
        else
        {
            (await gateway.BeatAsync()).Alive.ShouldBeFalse();
        }

        _log.Entries.ShouldContain(entry => entry.Id == 2207 && entry.Level == LogLevel.Error);
    }

    [Fact]
    public async Task FindAsync_WithTheMasterAway_IsNotAnsweredByItsReplica()
    {
        var (master, replica) = await RedisFixture.StartWithReplicaAsync();
        await using var stoppingMaster = master;
        await using var stoppingReplica = replica;
        await using var store = RedisFixture.Make($"{master.Configuration},{replica.Configuration}");
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 1);
        await RedisFixture.UntilAsync(async () =>
            (await replica.CommandAsync("KEYS", "*:r:a")).Contains(":r:a", StringComparison.Ordinal));

        await master.KillAsync();

        for (var i = 0; i < 20; i++)
        {
            await store.FindAsync(RedisGateway.Key("a"), default)
                .AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();
            await store.CountAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();
        }
    }

    [Fact]
    public async Task OpenAsync_OfAReplica_SaysWhoseItIs()
    {
        await using var master = await RedisServer.StartAsync();
        await using var replica = await RedisServer.StartAsync(
            new RedisServerOptions { Arguments = ["--replicaof", "127.0.0.1", $"{master.Port}"] });
        await using var store = RedisFixture.Make(replica.Configuration);

        var e = await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        e.Message.ShouldContain($"replica of 127.0.0.1:{master.Port}");
    }

    [Fact]
    public async Task EnterAsync_AtAMasterThatBecameAReplica_IsRefusedAsNotTaken()
    {
        await using var server = await RedisServer.StartAsync();
        await using var other = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make(server.Configuration);
        var gateway = await RedisGateway.StartAsync(store);
        (await server.CommandAsync("REPLICAOF", "127.0.0.1", $"{other.Port}")).ShouldBe("OK");

        var e = await gateway.EnterAsync("a", 1).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        e.NotTaken.ShouldBeTrue();
        e.Message.ShouldContain("replica");
    }

    [Fact]
    public async Task OpenAsync_OfTwoMasters_PointsToTheQuorum()
    {
        await using var one = await RedisServer.StartAsync();
        await using var two = await RedisServer.StartAsync();
        await using var store = RedisFixture.Make($"{one.Configuration},{two.Configuration}");

        var e = await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        e.Message.ShouldContain("Provider Quorum");
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            _ = Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }
}
