using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Redis;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>What the Redis store does beyond what every store has to do.</summary>
public sealed class RedisTokenStoreTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task EnterAsync_TokensThatDifferInTheLastBitOnly_AreToldApart()
    {
        await using var store = redis.Make();
        var gateway = await RedisGateway.StartAsync(store);
        (await gateway.EnterAsync("a", long.MaxValue - 1)).Status.ShouldBe(EnterStatus.Admitted);

        (await gateway.EnterAsync("a", long.MaxValue - 2)).ShouldBe(
            new EnterReply(EnterStatus.Stale, new FencingToken(long.MaxValue - 1)));
        (await gateway.EnterAsync("a", long.MaxValue)).Status.ShouldBe(EnterStatus.Admitted);
        (await store.FindAsync(RedisGateway.Key("a"), default))!.Value.Mark.ShouldBe(long.MaxValue);
        (await gateway.EnterAsync("a", 9)).Status.ShouldBe(EnterStatus.Stale);
    }

    [Fact]
    public async Task EnterAsync_KeysOfAnyText_AreKeptApart()
    {
        await using var store = redis.Make();
        var gateway = await RedisGateway.StartAsync(store);
        string[] keys = ["a", "a ", "A", "a{b}", "{b}", "ä", "a\u0308", "a:b*", new string('k', 1024), "\U0001F512"];
        foreach (var (index, key) in keys.Index())
        {
            (await gateway.EnterAsync(key, index + 1)).Status.ShouldBe(EnterStatus.Admitted);
        }

        foreach (var (index, key) in keys.Index())
        {
            (await store.FindAsync(RedisGateway.Key(key), default))!.Value.Mark.ShouldBe(index + 1);
        }

        (await store.ListAsync(new MarkQuery("a", long.MaxValue, 100), default)).Select(record => record.Resource.Value)
            .ShouldBe(["a:b*", "a\u0308", "a{b}", "a ", "a"]);
    }

    [Fact]
    public async Task EnterAsync_ATakeover_TellsTheOtherGatewayAtOnceAndTheWaitingOneWhenItMoves()
    {
        var prefix = RedisFixture.NextPrefix();
        await using var first = redis.Make(prefix);
        await using var second = redis.Make(prefix);
        var atFirst = new TaskCompletionSource<ResourceChange>();
        var atSecond = new TaskCompletionSource<ResourceChange>();
        first.Changed += change => atFirst.TrySetResult(change);
        var one = await RedisGateway.StartAsync(first);
        var two = await RedisGateway.StartAsync(second);
        await one.EnterAsync("a", 33);

        (await two.EnterAsync("a", 34)).ShouldBe(
            new EnterReply(EnterStatus.Draining, new FencingToken(34), default, true));
        (await atFirst.Task.WithinLimit("a revocation")).ShouldBe(
            new ResourceChange(RedisGateway.Key("a"), 34, Risen: true));
        (await one.BeatAsync()).Revoked.ShouldBe([new ResourceChange(RedisGateway.Key("a"), 34)]);

        second.Changed += change => atSecond.TrySetResult(change);
        await one.WithdrawAsync("a");
        (await atSecond.Task.WithinLimit("the end of the drain")).ShouldBe(
            new ResourceChange(RedisGateway.Key("a"), 34));
        (await one.BeatAsync()).Revoked.ShouldBeEmpty();
        (await two.EnterAsync("a", 34)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EnterAsync_TheSteadyCase_TellsNobody()
    {
        var prefix = RedisFixture.NextPrefix();
        await using var first = redis.Make(prefix);
        await using var second = redis.Make(prefix);
        List<ResourceChange> told = [];
        var last = new TaskCompletionSource();
        second.Changed += change =>
        {
            lock (told)
            {
                told.Add(change);
            }

            if (change.Resource.Value == "last")
            {
                last.TrySetResult();
            }
        };
        var one = await RedisGateway.StartAsync(first);
        var two = await RedisGateway.StartAsync(second);
        await one.EnterAsync("a", 1);
        await one.EnterAsync("a", 2);
        await one.WithdrawAsync("a");
        await two.EnterAsync("a", 3);
        await two.EnterAsync("last", 1);
        await one.EnterAsync("last", 2);

        await last.Task.WithinLimit("a change");
        told.ShouldBe([new ResourceChange(RedisGateway.Key("last"), 2, Risen: true)]);
    }

    /// <summary>The client's connection for messages comes later than the other one.</summary>
    [Fact]
    public async Task OpenAsync_ReturnsWhenItListens_AndHasNothingToWarnOfThat()
    {
        for (var i = 0; i < 20; i++)
        {
            var (prefix, log) = (RedisFixture.NextPrefix(), new TestLogger<RedisTokenStore>());
            await using var store = RedisFixture.Make(redis.Server.Configuration, prefix, log);
            await store.OpenAsync(default);

            (await redis.Server.CommandAsync("PUBSUB", "NUMSUB", $"{{{prefix}}}:changed:0")).ShouldEndWith("1");
            log.Entries.ShouldNotContain(e => e.Id == 2205, "no messages of the channel");
        }
    }

    [Fact]
    public async Task Changed_OfAFleetInAnotherDatabase_IsNotCalled()
    {
        var prefix = RedisFixture.NextPrefix();
        await using var here = redis.Make(prefix);
        await using var there = RedisFixture.Make($"{redis.Server.Configuration},defaultDatabase=1", prefix);
        List<ResourceChange> told = [];
        var last = new TaskCompletionSource();
        here.Changed += change =>
        {
            lock (told)
            {
                told.Add(change);
            }

            last.TrySetResult();
        };
        await here.OpenAsync(default);
        await TakeOverAsync(there, "a", 1000);
        await TakeOverAsync(here, "b", 1);

        await last.Task.WithinLimit("a change");
        told[0].Resource.Value.ShouldBe("b");

        static async Task TakeOverAsync(RedisTokenStore store, string resource, long token)
        {
            var one = await RedisGateway.StartAsync(store);
            await one.EnterAsync(resource, token);
            var two = new RedisGateway(store, one.Session + "b");
            await store.StartSessionAsync(two.Session, TimeSpan.FromMinutes(1), default);
            (await two.EnterAsync(resource, token + 1)).Status.ShouldBe(EnterStatus.Draining);
        }
    }

    [RealTimeFact]
    public async Task EnterAsync_SessionThatEndsLateByAClockThatWasSetBack_LivesNoLongerThanItsTimeToLive()
    {
        var prefix = RedisFixture.NextPrefix();
        await using var store = redis.Make(prefix);
        var one = await RedisGateway.StartAsync(store, Short);
        await one.EnterAsync("a", 1);
        var inAnHour = TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeMilliseconds();
        await redis.Server.CommandAsync(
            "HSET", $"{{{prefix}}}:sessions", one.Session, $"{inAnHour}:{Short.TotalMilliseconds}");
        var two = await RedisGateway.StartAsync(store);

        (await two.EnterAsync("a", 2)).HeldElsewhere.ShouldBeTrue();

        await RedisFixture.UntilAsync(
            async () => (await two.EnterAsync("a", 2, hold: TimeSpan.Zero)).Status == EnterStatus.Admitted);
    }

    [Fact]
    public async Task HeartbeatAsync_MoreRevokedThanOneBeatTells_TellsTheRestLater()
    {
        var prefix = RedisFixture.NextPrefix();
        await using var store = redis.Make(prefix);
        var one = await RedisGateway.StartAsync(store);
        var two = await RedisGateway.StartAsync(store);
        const int Resources = Heartbeat.MaxRevoked + 200;
        for (var i = 0; i < Resources; i++)
        {
            await one.EnterAsync($"r{i}", 1);
        }

        await Task.WhenAll(Enumerable.Range(0, Resources).Select(i => two.EnterAsync($"r{i}", 2).AsTask()));

        var first = (await one.BeatAsync()).Revoked;
        first.Count.ShouldBe(Heartbeat.MaxRevoked);
        first.ShouldAllBe(change => change.Mark == 2);
        foreach (var batch in first.Select(change => new Registration(change.Resource, long.MaxValue))
            .Chunk(Registration.MaxBatch))
        {
            await store.WithdrawAsync(one.Session, batch, default);
        }

        var rest = (await one.BeatAsync()).Revoked;
        rest.Count.ShouldBe(200);
        rest.Select(change => change.Resource).ShouldNotContain(
            resource => first.Any(change => change.Resource == resource));
    }

    [Fact]
    public async Task EndSessionAsync_Quietly_WakesThoseWhoWaitAndLeavesNothing()
    {
        var prefix = RedisFixture.NextPrefix();
        await using var store = redis.Make(prefix);
        await using var other = redis.Make(prefix);
        var one = await RedisGateway.StartAsync(store);
        var two = await RedisGateway.StartAsync(other);
        await one.EnterAsync("a", 1);
        await two.EnterAsync("a", 2);
        var told = new TaskCompletionSource<ResourceChange>();
        other.Changed += change => told.TrySetResult(change);

        await store.EndSessionAsync(one.Session, isClean: true, default);

        (await told.Task.WithinLimit("a change")).Resource.Value.ShouldBe("a");
        (await store.FindAsync(RedisGateway.Key("a"), default))!.Value.Writers.ShouldBeEmpty();
        (await two.EnterAsync("a", 2)).Status.ShouldBe(EnterStatus.Admitted);
        (await redis.Server.CommandAsync("ZCARD", $"{{{prefix}}}:revoked")).ShouldBe("0");
        (await redis.Server.CommandAsync("HKEYS", $"{{{prefix}}}:r:a")).ShouldNotContain(one.Session);
        (await redis.Server.CommandAsync("ZCARD", $"{{{prefix}}}:started")).ShouldBe("1");
    }

    [RealTimeFact]
    public async Task EnterAsync_AfterASessionExpired_HoldsForAsLongAsTheStoreSays()
    {
        await using var store = redis.Make();
        var two = await RedisGateway.StartAsync(store);
        var one = await RedisGateway.StartAsync(store, Short);
        var hold = TimeSpan.FromSeconds(2);
        await one.EnterAsync("a", 1);
        await RedisFixture.UntilAsync(async () =>
            (await store.FindAsync(RedisGateway.Key("a"), default))!.Value.Writers.Any(w => w.EndedFor is not null));

        (await one.BeatAsync()).Alive.ShouldBeFalse();
        (await one.EnterAsync("a", 1).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>()).SessionEnded
            .ShouldBeTrue();
        var reply = await two.EnterAsync("a", 2, hold: hold);
        reply.Status.ShouldBe(EnterStatus.Draining);
        reply.HeldElsewhere.ShouldBeFalse();
        reply.RetryAfter.ShouldBeInRange(TimeSpan.FromMilliseconds(1), hold);
        var asked = TimeProvider.System.GetTimestamp();
        await RedisFixture.UntilAsync(
            async () => (await two.EnterAsync("a", 2, hold: hold)).Status == EnterStatus.Admitted);
        TimeProvider.System.GetElapsedTime(asked).ShouldBeGreaterThan(reply.RetryAfter - TimeLimit.TimerTick);
    }

    [Fact]
    public async Task StartSessionAsync_ANameUsedBefore_IsRefused()
    {
        await using var store = redis.Make();
        var one = await RedisGateway.StartAsync(store);
        await store.EndSessionAsync(one.Session, isClean: false, default);

        await store.StartSessionAsync(one.Session, Short, default)
            .AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        (await one.BeatAsync()).Alive.ShouldBeFalse();
    }

    [Fact]
    public async Task SetMarkAsync_ByAnOperator_IsKeptWithWhoAndWhy()
    {
        var prefix = RedisFixture.NextPrefix();
        await using var store = redis.Make(prefix);
        var one = await RedisGateway.StartAsync(store);
        await one.EnterAsync("a", 9);

        (await store.SetMarkAsync(
            new SetMarkRequest(
                one.Session, RedisGateway.Key("a"), 4, TimeSpan.FromSeconds(1), "restored a \"backup\"",
                "ärin"), default))
            .ShouldBeTrue();

        (await store.FindAsync(RedisGateway.Key("a"), default))!.Value.Mark.ShouldBe(4);
        var audit = await redis.Server.CommandAsync("LRANGE", $"{{{prefix}}}:audit", "0", "-1");
        audit.ShouldContain("\"actor\":\"ärin\"");
        audit.ShouldContain("restored a \\\"backup\\\"");
        audit.ShouldContain("\"before\":\"0000000000000000009\"");
    }

    [Fact]
    public async Task ListAsync_MoreThanTheIndexGivesAtOnce_FindsARarePrefix()
    {
        await using var store = redis.Make();
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("rare/1", 1);
        await Task.WhenAll(
            Enumerable.Range(0, 2500).Select(i => gateway.EnterAsync($"r{i}", 1, sequence: i + 2).AsTask()));
        await gateway.EnterAsync("rare/2", 1, sequence: 5000);

        var found = await store.ListAsync(new MarkQuery("rare/", long.MaxValue, 10), default);
        found.Select(record => record.Resource.Value).ShouldBe(["rare/2", "rare/1"]);
        (await store.ListAsync(new MarkQuery("rare/", found[0].Sequence, 10), default)).Single().Resource.Value
            .ShouldBe("rare/1");
        (await store.CountAsync(default)).ShouldBe(2502);
    }

    [Fact]
    public async Task AnyCall_BeforeOpenAndAfterDispose_IsRefusedAsNotTaken()
    {
        var store = redis.Make();
        store.Fault.ShouldNotBeNull();
        (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.CountAsync(default))).NotTaken
            .ShouldBeTrue();
        await store.OpenAsync(default);
        store.Fault.ShouldBeNull();

        await store.DisposeAsync();

        store.Fault.ShouldNotBeNull();
        (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.CountAsync(default))).NotTaken
            .ShouldBeTrue();
    }
}
