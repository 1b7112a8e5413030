using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Quorum;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Tests.Quorum;

/// <summary>Real servers that die, stand still and forget.</summary>
public sealed class QuorumFaultTests : IAsyncLifetime
{
    private readonly TestLogger<QuorumTokenStore> _log = new();
    private readonly List<QuorumTokenStore> _stores = [];
    private RedisServer[] _servers = [];

    public async ValueTask InitializeAsync() => _servers = await QuorumFixture.StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task AllSteps_WithOneNodeDown_Work()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        await _servers[2].KillAsync();

        (await a.EnterAsync("r", 5)).Status.ShouldBe(EnterStatus.Admitted);
        (await b.EnterAsync("r", 6)).HeldElsewhere.ShouldBeTrue();
        await a.ChangedAsync("r");
        (await a.HeartbeatAsync()).Revoked.ShouldHaveSingleItem().Mark.ShouldBe(6);
        await a.WithdrawAsync("r");
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
        (await b.Store.ListAsync(new MarkQuery("", long.MaxValue, 10), default)).ShouldHaveSingleItem().Mark.ShouldBe(
            6);
        var c = await OpenAsync();
        (await c.EnterAsync("r", 5)).Status.ShouldBe(EnterStatus.Stale);
    }

    [Fact]
    public async Task ListAsync_MoreThanTheNodesGiveAtOnce_FindsARarePrefix()
    {
        var a = await OpenAsync();
        await a.EnterAsync("rare/1", 1);
        await Task.WhenAll(Enumerable.Range(0, 2500).Select(i => a.EnterAsync($"r{i}", 1)));
        await a.EnterAsync("rare/2", 1);

        var found = await a.Store.ListAsync(new MarkQuery("rare/", long.MaxValue, 10), default);
        found.Select(record => record.Resource.Value).ShouldBe(["rare/2", "rare/1"]);
        (await a.Store.ListAsync(new MarkQuery("rare/", found[0].Sequence, 10), default)).Single().Resource.Value
            .ShouldBe("rare/1");
        (await a.Store.ListAsync(new MarkQuery("r", long.MaxValue, 1000), default)).Count.ShouldBe(1000);
    }

    [Fact]
    public async Task EnterAsync_WithTwoNodesDown_IsNeverAdmitted()
    {
        var a = await OpenAsync();
        await a.EnterAsync("r", 5);
        await _servers[1].KillAsync();
        await _servers[2].KillAsync();

        for (var i = 0; i < 5; i++)
        {
            await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.EnterAsync("r", 6));
            await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.HeartbeatAsync());
            await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.FindAsync("r"));
        }

        a.Store.Fault.ShouldNotBeNull().ShouldContain("No majority");
        await _servers[1].RestartAsync();
        await UntilAsync(a, async () => (await a.EnterAsync("r", 6)).Status == EnterStatus.Admitted);
        (await a.HeartbeatAsync()).Alive.ShouldBeTrue();
        a.Store.Fault.ShouldBeNull();
    }

    [Fact]
    public async Task OpenAsync_TheFirstTimeWithANodeAway_IsRefusedAndLaterWorks()
    {
        await _servers[2].KillAsync();
        var store = Make();
        (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.OpenAsync(default)))
            .Message.ShouldContain("all 3 have to be reachable once");

        await _servers[2].RestartAsync();
        await UntilAsync(async () =>
        {
            await store.OpenAsync(default);
            return true;
        });
        store.Info.Grade.ShouldBe(SafetyGrade.Strict);
    }

    [Fact]
    public async Task OpenAsync_OfSeveralGatewaysAtOnceOnEmptyNodes_BeginsOneStore()
    {
        var stores = Enumerable.Range(0, 4).Select(_ => Make()).ToArray();
        await Task.WhenAll(stores.Select(store => UntilAsync(async () =>
        {
            await store.OpenAsync(default);
            return true;
        })));

        var names = await Task.WhenAll(_servers.Select(s => s.CommandAsync("HGET", "{fg}:q:meta", "serving")));
        names.Distinct().ShouldHaveSingleItem().Split('.').Length.ShouldBe(3);
    }

    /// <summary>
    /// Node 3 took part in promising 7 and forgot it, node 1 never heard of it. Together they are a majority that would
    /// admit 6, if node 3 counted.
    /// </summary>
    [Fact]
    public async Task NodeThatLostItsData_Abstains_AndIsResynchronisedFromTheOthers()
    {
        var a = await OpenAsync();
        await a.EnterAsync("r", 5);
        await UntilAsync(async () => await MarkAtAsync(0, "r") == 5);
        await _servers[0].KillAsync();
        (await a.EnterAsync("r", 7)).Status.ShouldBe(EnterStatus.Admitted);
        await _servers[2].RestartEmptyAsync();
        await _servers[1].KillAsync();
        await _servers[0].RestartAsync();

        (await MarkAtAsync(0, "r")).ShouldBe(5);
        (await MarkAtAsync(2, "r")).ShouldBe(0);
        var other = Make();
        await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await other.OpenAsync(default));
        for (var i = 0; i < 5; i++)
        {
            await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.EnterAsync("r", 6));
            await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.HeartbeatAsync());
        }

        await _servers[1].RestartAsync();
        await UntilAsync(async () =>
        {
            _ = await a.HeartbeatAsync();
            return await MarkAtAsync(2, "r") == 7 && await ServesAsync(2);
        });
        _log.Entries.ShouldContain(e => e.Id == 2221 && e.Level == LogLevel.Error);
        _log.Entries.ShouldContain(e => e.Id == 2224);

        await _servers[1].KillAsync();
        var b = await OpenAsync();
        await UntilAsync(b, async () => (await b.EnterAsync("r", 6)).Status == EnterStatus.Stale);
        (await b.EnterAsync("r", 8)).HeldElsewhere.ShouldBeTrue(
            "the registration of the living session was copied too");
    }

    [Fact]
    public async Task NodeThatIsBeingResynchronisedBySomebodyWhoDies_GoesOnAbstainingUntilTheNext()
    {
        var a = await OpenAsync();
        await a.EnterAsync("r", 5);
        await _servers[2].RestartEmptyAsync();
        await _servers[2].CommandAsync("SET", "{fg}:q:resync", "somebody", "PX", "1500");

        _ = await a.HeartbeatAsync();
        (await ServesAsync(2)).ShouldBeFalse();
        await UntilAsync(async () =>
        {
            _ = await a.HeartbeatAsync();
            return await ServesAsync(2);
        });
        (await MarkAtAsync(2, "r")).ShouldBe(5);
    }

    [Fact]
    public async Task EnterAsync_WhileOneNodeStandsStill_IsNotHeldUpForLong()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        _servers[1].Pause();
        (await a.EnterAsync("r", 5)).Status.ShouldBe(EnterStatus.Admitted);
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        (await a.HeartbeatAsync()).Alive.ShouldBeTrue();
        await a.WithdrawAsync("r");
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
        _servers[1].Continue();

        await UntilAsync(async () =>
        {
            await a.HeartbeatAsync();
            await b.EnterAsync("s", 1);
            return await MarkAtAsync(1, "s") == 1;
        });
        (await a.EnterAsync("r", 5)).Status.ShouldBe(EnterStatus.Stale);
    }

    [Fact]
    public async Task EnterAsync_TakenByAMinorityOnly_IsNotAdmitted()
    {
        var a = await OpenAsync();
        _servers[0].Pause();
        _servers[1].Pause();
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(400));
        var e = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await a.Store.EnterAsync(a.Request("r", 5), limit.Token));
        e.NotTaken.ShouldBeFalse();
        (await MarkAtAsync(2, "r")).ShouldBe(5);
        _servers[0].Continue();
        _servers[1].Continue();

        // What it may have been counts for the next one, which has to be as high.
        await UntilAsync(a, async () => (await a.EnterAsync("r", 4)) is { Status: EnterStatus.Stale, Mark.Value: 5 });
        (await MarkAtAsync(0, "r")).ShouldBe(5);
    }

    [Fact]
    public async Task EnterAsync_HigherMarkAtOneNodeOnly_IsAtAMajorityBeforeAnybodyIsTold()
    {
        var a = await OpenAsync();
        await a.EnterAsync("r", 5);
        await a.WithdrawAsync("r");
        await _servers[2].CommandAsync("HSET", "{fg}:q:r:r", "mark", "0000000000000000009");
        await _servers[0].KillAsync();

        var reply = await a.EnterAsync("r", 8);

        (reply.Status, reply.Mark.Value).ShouldBe((EnterStatus.Stale, 9));
        (await MarkAtAsync(1, "r")).ShouldBe(9);
        await _servers[2].KillAsync();
        await _servers[0].RestartAsync();
        await UntilAsync(a, async () => (await a.EnterAsync("r", 8)).Status == EnterStatus.Stale);
    }

    [Fact]
    public async Task EnterAsync_NodeWithAnOlderRegistrationIsBack_TheSameTokenElsewhereDoesNotWait()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        await a.EnterAsync("r", 5);
        await UntilAsync(async () => await MarkAtAsync(2, "r") == 5);
        await _servers[2].KillAsync();
        (await a.EnterAsync("r", 7)).Status.ShouldBe(EnterStatus.Admitted);
        await _servers[2].RestartAsync();
        await UntilAsync(async () =>
        {
            _ = await a.HeartbeatAsync();
            return await ServesAsync(2);
        });
        await _servers[0].KillAsync();

        EnterReply reply = default;
        await UntilAsync(async () => (reply = await b.EnterAsync("r", 7)).Status != EnterStatus.Stale);

        reply.ShouldBe(new EnterReply(EnterStatus.Admitted, new FencingToken(7)));
    }

    [Fact]
    public async Task HeartbeatAsync_SessionLostAtOneNode_LivesOnAndJoinsItAgain()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        await a.EnterAsync("r", 5);
        await _servers[2].CommandAsync("HDEL", "{fg}:q:sessions", a.Session);

        (await a.HeartbeatAsync()).Alive.ShouldBeTrue();
        await UntilAsync(
            async () => (await _servers[2].CommandAsync("HGET", "{fg}:q:sessions", a.Session)).StartsWith('a'));

        // The node that forgot it, with one other, still sees the writer: no majority says that it has ended.
        await _servers[0].KillAsync();
        (await b.EnterAsync("r", 6, hold: TimeSpan.Zero)).ShouldBe(
            new EnterReply(EnterStatus.Draining, new FencingToken(6), HeldElsewhere: true));
    }

    [RealTimeFact]
    public async Task HeartbeatAsync_SessionLostAtTwoNodes_HasEndedForGood()
    {
        var (a, b) = (await OpenAsync(TimeSpan.FromSeconds(1)), await OpenAsync());
        await a.EnterAsync("r", 5);
        await _servers[1].CommandAsync("HDEL", "{fg}:q:sessions", a.Session);
        await _servers[2].CommandAsync("HDEL", "{fg}:q:sessions", a.Session);

        // Its gateway may not know yet: nobody else takes it for ended before it must.
        (await b.EnterAsync("r", 6, hold: TimeSpan.Zero)).HeldElsewhere.ShouldBeTrue();
        (await a.HeartbeatAsync()).Alive.ShouldBeFalse();
        (await a.HeartbeatAsync()).Alive.ShouldBeFalse();
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.EnterAsync("r", 7))).SessionEnded
            .ShouldBeTrue();
        (await b.EnterAsync("r", 6, hold: TimeSpan.Zero)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task Session_WhenMemoryIsShortEverywhere_LivesAndEnds()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        await a.EnterAsync("r", 5);
        await Task.WhenAll(_servers.Select(s => s.CommandAsync("CONFIG", "SET", "maxmemory", "1")));

        (await a.HeartbeatAsync()).Alive.ShouldBeTrue();
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => b.EnterAsync("r", 6))).Message.ShouldContain(
            "maxmemory");
        await a.WithdrawAsync("r");
        await a.Store.EndSessionAsync(a.Session, isClean: false, default);

        (await a.HeartbeatAsync()).Alive.ShouldBeFalse();
    }

    [Fact]
    public async Task HeartbeatAsync_OfARevocationThatCannotBeConfirmedForWantOfMemory_KeepsTheSession()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        await a.EnterAsync("r", 5);
        await UntilAsync(
            async () =>
                await MarkAtAsync(0, "r") == 5 && await MarkAtAsync(1, "r") == 5 && await MarkAtAsync(2, "r") == 5);
        await Task.WhenAll(_servers.Skip(1).Select(s => s.CommandAsync("CONFIG", "SET", "maxmemory", "1")));
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => b.EnterAsync("r", 6));

        var beat = await a.HeartbeatAsync();

        (beat.Alive, beat.Revoked.Count).ShouldBe((true, 0));
        await Task.WhenAll(_servers.Select(s => s.CommandAsync("CONFIG", "SET", "maxmemory", "0")));
        (await a.HeartbeatAsync()).Revoked.ShouldHaveSingleItem().Mark.ShouldBe(6);
    }

    [Fact]
    public async Task Changed_OfAFleetInAnotherDatabase_IsNotCalled()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        List<ResourceChange> told = [];
        var last = new TaskCompletionSource();
        a.Store.Changed += change =>
        {
            lock (told)
            {
                told.Add(change);
            }

            last.TrySetResult();
        };
        ConformanceGateway[] there = [new(Make(",defaultDatabase=1")), new(Make(",defaultDatabase=1"))];
        foreach (var gateway in there)
        {
            await gateway.Store.OpenAsync(default);
            await gateway.StartSessionAsync();
        }

        await there[0].EnterAsync("there", 1000);
        (await there[1].EnterAsync("there", 1001)).Status.ShouldBe(EnterStatus.Draining);
        await b.EnterAsync("here", 1);
        (await a.EnterAsync("here", 2)).Status.ShouldBe(EnterStatus.Draining);

        await last.Task.WithinLimit("a change");
        told[0].Resource.Value.ShouldBe("here");
    }

    [Fact]
    public async Task SetMarkAsync_LowerWithANodeDown_IsRefusedAndChangesNothing()
    {
        var a = await OpenAsync();
        await a.EnterAsync("r", 5);
        await _servers[2].KillAsync();

        var e = await Should.ThrowAsync<TokenStoreUnavailableException>(() => a.SetMarkAsync("r", 3));
        (e.NotTaken, await a.MarkAsync("r")).ShouldBe((true, 5));
        (await a.SetMarkAsync("r", 9)).ShouldBeTrue("a higher one needs a majority only");
        await _servers[2].RestartAsync();
        await UntilAsync(async () => await a.SetMarkAsync("r", 3));
        (await a.MarkAsync("r")).ShouldBe(3);
    }

    [Fact]
    public async Task Info_Grade_IsStrictUntilANodeCanForget()
    {
        var a = await OpenAsync();
        (a.Store.Info.Grade, a.Store.Info.GradeReasons.Count).ShouldBe((SafetyGrade.Strict, 0));
        (await _servers[1].CommandAsync("CONFIG", "SET", "appendfsync", "everysec")).ShouldBe("OK");

        await a.Store.OpenAsync(default);

        a.Store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        a.Store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("appendfsync is everysec");
        a.Store.Info.GradeReasons[0].ShouldContain($"{_servers[1].Port}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Info_ASettingOfANodeWasChangedWhileItRuns_ShowsTheNewGrade(bool reconnected)
    {
        var time = new ManualTimeProvider();
        var a = await OpenAsync(time: time);
        a.Store.Info.Grade.ShouldBe(SafetyGrade.Strict);
        await UntilAsync(a, () => Task.FromResult(((QuorumTokenStore)a.Store).IsSettled));
        (await _servers[1].CommandAsync("CONFIG", "SET", "appendfsync", "everysec")).ShouldBe("OK");

        if (reconnected)
        {
            await _servers[1].CommandAsync("CLIENT", "KILL", "TYPE", "normal");
        }
        else
        {
            time.Advance(TimeSpan.FromSeconds(60));
        }

        await UntilAsync(a, () => Task.FromResult(a.Store.Info.Grade == SafetyGrade.BestEffort));
        a.Store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("appendfsync is everysec");
        _log.Entries.ShouldContain(e => e.Id == 2230);
        (await _servers[1].CommandAsync("CONFIG", "SET", "appendfsync", "always")).ShouldBe("OK");
        time.Advance(TimeSpan.FromSeconds(60));
        await UntilAsync(a, () => Task.FromResult(a.Store.Info.Grade == SafetyGrade.Strict));
    }

    [Fact]
    public async Task AnyCall_WhoseCallerDoesNotWait_LeavesTheNodesAsked()
    {
        var time = new ManualTimeProvider();
        var a = await OpenAsync(time: time);
        foreach (var server in _servers)
        {
            server.Pause();
        }

        using var impatient = new CancellationTokenSource();
        var asked = a.Store.FindAsync(ConformanceGateway.Key("r"), impatient.Token).AsTask();
        await impatient.CancelAsync();
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => asked);

        a.Store.Fault.ShouldBeNull();
        using var patient = new CancellationTokenSource();
        asked = a.Store.FindAsync(ConformanceGateway.Key("r"), patient.Token).AsTask();
        time.Advance(TimeSpan.FromMilliseconds(250));
        await patient.CancelAsync();
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => asked);
        a.Store.Fault.ShouldNotBeNull("nobody waits for nodes that stand still");
        foreach (var server in _servers)
        {
            server.Continue();
        }
    }

    /// <summary>
    /// A call may take half of the time to live: one that waits as long for a node that stands still is lost itself.
    /// </summary>
    [RealTimeFact]
    public async Task HeartbeatAsync_OfAShortSessionWhileOneNodeStandsStill_EndsInTime()
    {
        var time = new ManualTimeProvider();
        var a = await OpenAsync(TimeSpan.FromMilliseconds(500), time);
        await SettledAsync(a);
        _servers[1].Pause();

        var beat = a.HeartbeatAsync();
        await time.WaitForTimerWithinAsync(TimeSpan.FromMilliseconds(125));
        time.Advance(TimeSpan.FromMilliseconds(125));

        (await beat.WithinLimit("the heartbeat")).Alive.ShouldBeTrue();
        _servers[1].Continue();
    }

    /// <summary>
    /// What is left of a session that began at one node only, or that a resynchronisation brought from one: no node
    /// knows it, one has its registration.
    /// </summary>
    [Fact]
    public async Task EnterAsync_RegistrationOfASessionThatNoNodeKnows_ComesToItsEnd()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        await a.EnterAsync("r", 5);
        // A node that does not know the scripts yet is asked again, maybe in another order: what stays registered waits
        // for a heartbeat.
        await SettledAsync(a);
        await a.WithdrawAsync("r");
        await SettledAsync(a);
        await _servers[2].CommandAsync("HSET", "{fg}:q:r:r", "w:ghost", "0000000000000000005:0000000000000000001:300");
        await _servers[0].KillAsync();

        await UntilAsync(
            b,
            async () =>
                (await b.EnterAsync("r", 6, hold: TimeSpan.FromMilliseconds(100))).Status == EnterStatus.Admitted);

        (await _servers[2].CommandAsync("HKEYS", "{fg}:q:r:r")).ShouldNotContain("ghost");
    }

    [Fact]
    public async Task HeartbeatAsync_SessionThatBeganAtOneNodeOnly_IsEnded()
    {
        var a = await OpenAsync();
        await _servers[1].CommandAsync("HSET", "{fg}:q:sessions", "ghost", "a:300:0");

        await UntilAsync(
            a, async () => (await _servers[1].CommandAsync("HGET", "{fg}:q:sessions", "ghost")).StartsWith('e'));
    }

    [Fact]
    public async Task NodeThatLostItsData_IsGivenEndedSessionsToForget()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        await b.Store.EndSessionAsync(b.Session, isClean: false, default);
        await UntilAsync(async () =>
            (await _servers[0].CommandAsync("HGET", "{fg}:q:sessions", b.Session)).StartsWith('e')
            && (await _servers[1].CommandAsync("HGET", "{fg}:q:sessions", b.Session)).StartsWith('e'));

        await _servers[2].RestartEmptyAsync();
        await UntilAsync(a, () => ServesAsync(2));

        (await _servers[2].CommandAsync("HGET", "{fg}:q:sessions", b.Session)).ShouldStartWith("e");
        (await _servers[2].CommandAsync("ZRANGE", "{fg}:q:ended", "0", "-1")).ShouldBe(b.Session);
    }

    /// <summary>Whoever could not finish lets others try at once, and itself.</summary>
    [Fact]
    public async Task Resynchronisation_ThatBreaksOff_LeavesNoClaim()
    {
        var a = await OpenAsync();
        await a.EnterAsync("r", 5);
        await SettledAsync(a);
        var store = await _servers[1].CommandAsync("HGET", "{fg}:q:meta", "serving");
        await _servers[1].CommandAsync("HSET", "{fg}:q:meta", "serving", "another.store.altogether");
        await _servers[2].RestartEmptyAsync();

        // One node is too few to copy from. A claim takes 20 s to run out.
        await UntilAsync(async () =>
        {
            await a.HeartbeatAsync().ContinueWith(static beat => beat.Exception, TaskScheduler.Default);
            return (await _servers[2].CommandAsync("INFO", "commandstats")).Contains(
                "cmdstat_del:", StringComparison.Ordinal);
        });
        await UntilAsync(async () => await _servers[2].CommandAsync("EXISTS", "{fg}:q:resync") == "0");
        await _servers[1].CommandAsync("HSET", "{fg}:q:meta", "serving", store);
        await UntilAsync(a, () => ServesAsync(2));
    }

    [Fact]
    public async Task NodeThatLostItsData_WhileAnotherOneCannotBeConnectedTo_IsResynchronised()
    {
        _servers = [.. _servers, .. await QuorumFixture.StartAsync(2)];
        await Make().OpenAsync(default);
        await _stores[0].DisposeAsync();
        _servers[0].Pause();
        var a = new ConformanceGateway(Make(",connectTimeout=120000"));
        await a.Store.OpenAsync(default);
        await a.StartSessionAsync();
        await a.HeartbeatAsync();

        await _servers[4].RestartEmptyAsync();

        await UntilAsync(a, () => ServesAsync(4));
        _servers[0].Continue();
    }

    [Fact]
    public async Task NodeThatLostItsData_WithManyResources_GetsAllOfThem()
    {
        var a = await OpenAsync();
        const int Resources = 700;
        await Task.WhenAll(Enumerable.Range(0, Resources).Select(i => a.EnterAsync($"r{i}", i + 1)));

        await _servers[2].RestartEmptyAsync();
        await UntilAsync(a, () => ServesAsync(2));

        (await _servers[2].CommandAsync("ZCARD", "{fg}:q:index")).ShouldBe($"{Resources}");
        (await MarkAtAsync(2, "r0")).ShouldBe(1);
        (await MarkAtAsync(2, "r699")).ShouldBe(700);
    }

    private QuorumTokenStore Make(string options = "", TimeProvider? time = null)
    {
        var store = QuorumFixture.Make(_servers, logger: _log, options: options, time: time);
        _stores.Add(store);
        return store;
    }

    private async Task<ConformanceGateway> OpenAsync(TimeSpan? timeToLive = null, TimeProvider? time = null)
    {
        var gateway = new ConformanceGateway(Make(time: time));
        await gateway.Store.OpenAsync(default);
        await gateway.StartSessionAsync(timeToLive);
        return gateway;
    }

    private async Task<long> MarkAtAsync(int server, string key) =>
        long.TryParse(await _servers[server].CommandAsync("HGET", "{fg}:q:r:" + key, "mark"), out var mark) ? mark : 0;

    /// <summary>Until all nodes have answered, those that nobody waits for any more included.</summary>
    private static Task SettledAsync(ConformanceGateway gateway) =>
        UntilAsync(() => Task.FromResult(((QuorumTokenStore)gateway.Store).IsSettled));

    private async Task<bool> ServesAsync(int server) =>
        await _servers[server].CommandAsync("HEXISTS", "{fg}:q:meta", "serving") == "1";

    /// <summary>The same of a gateway, which sends its heartbeats: they find a node that has been silent.</summary>
    private static Task UntilAsync(ConformanceGateway gateway, Func<Task<bool>> condition) => UntilAsync(async () =>
    {
        _ = await gateway.HeartbeatAsync();
        return await condition();
    });

    /// <summary>Asks until it is so; a store that is away is asked again.</summary>
    private static Task UntilAsync(Func<Task<bool>> condition) =>
        Eventually.IsSoAsync(condition, "the store to be so", isNotYet: e => e is TokenStoreUnavailableException);
}
