using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Redis;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>A master that Sentinels name, and the one they name after it.</summary>
public sealed class RedisSentinelTests : IAsyncLifetime
{
    private readonly TestLogger<RedisTokenStore> _log = new();
    private RedisServer _master = null!;
    private RedisServer _replica = null!;
    private RedisSentinel[] _sentinels = [];

    private string Configuration =>
        string.Join(',', _sentinels.Select(sentinel => $"127.0.0.1:{sentinel.Port}")) + ",serviceName=fence";

    public async ValueTask InitializeAsync()
    {
        (_master, _replica) = await RedisFixture.StartWithReplicaAsync();
        _sentinels = await RedisSentinel.StartAsync(_master, 3);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var sentinel in _sentinels)
        {
            await sentinel.DisposeAsync();
        }

        await _master.DisposeAsync();
        await _replica.DisposeAsync();
    }

    [Fact]
    public async Task OpenAsync_FindsTheMaster_WhoIsBestEffortAndSaysWhy()
    {
        await using var store = RedisFixture.Make(Configuration);
        var told = new TaskCompletionSource();
        store.Changed += _ => told.TrySetResult();
        var gateway = await RedisGateway.StartAsync(store);

        (await gateway.EnterAsync("a", 1)).Status.ShouldBe(EnterStatus.Admitted);
        await gateway.EnterAsync("a", 2, oldest: 1);
        await gateway.WithdrawAsync("a");

        await told.Task.WithinLimit("a change");
        store.Info.Location.ShouldBe($"127.0.0.1:{_master.Port}");
        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("Its Sentinels choose the master");
    }

    [Fact]
    public async Task Failover_ByCommand_TheSessionGoesOnAtTheNewMaster()
    {
        await using var store = RedisFixture.Make(Configuration, logger: _log);
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 7);
        await UntilReplicatedAsync();

        (await _sentinels[0].CommandAsync("SENTINEL", "FAILOVER", RedisSentinel.Service)).ShouldBe("OK");

        await RedisFixture.UntilAsync(
            async () => (await gateway.BeatAsync()).Alive && store.Info.Location == $"127.0.0.1:{_replica.Port}");
        (await gateway.EnterAsync("a", 6)).Status.ShouldBe(EnterStatus.Stale);
        (await gateway.EnterAsync("a", 8, sequence: 9)).Status.ShouldBe(EnterStatus.Admitted);
        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        _log.Entries.ShouldContain(entry => entry.Id == 2208 && entry.Level == LogLevel.Warning);
        _log.Entries.ShouldNotContain(entry => entry.Id == 2203 || entry.Id == 2204);
    }

    /// <summary>As a gateway does it: the session is kept if it is heard of in time, and opened anew if not.</summary>
    [Fact]
    public async Task Failover_AfterTheMasterWasKilled_TheGatewayComesBackOnTheNewOne()
    {
        var store = RedisFixture.Make(Configuration, logger: _log);
        await using var session = TestSession.Make(
            store, TimeProvider.System, new StoreClientOptions { TimeToLive = TimeSpan.FromSeconds(3) });
        await session.OpenAsync(default);

        await _master.KillAsync();

        await RedisFixture.UntilAsync(() => Task.FromResult(
            store.Info.Location == $"127.0.0.1:{_replica.Port}" && session.Fault is null
                && session.Current is { IsAlive: true }));
        store.Fault.ShouldBeNull();
        _log.Entries.ShouldContain(entry => entry.Id == 2201);
    }

    [Fact]
    public async Task Failover_ThatLostTheLatestMarks_IsAnError()
    {
        await using var store = RedisFixture.Make(Configuration, logger: _log);
        var gateway = await RedisGateway.StartAsync(store);
        await gateway.EnterAsync("a", 7);
        await gateway.BeatAsync();
        await UntilReplicatedAsync();
        _replica.Pause();
        await gateway.EnterAsync("a", 8);
        await gateway.BeatAsync();
        await _master.KillAsync();
        _replica.Continue();

        await RedisFixture.UntilAsync(
            async () => (await gateway.BeatAsync()).Alive && store.Info.Location == $"127.0.0.1:{_replica.Port}");

        // What the kernel had taken for the replica may have come after all.
        var mark = (await store.FindAsync(RedisGateway.Key("a"), default))!.Value.Mark;
        _log.Entries.Any(entry => entry.Id == 2204).ShouldBe(mark == 7);
    }

    [Fact]
    public async Task OpenAsync_WithSentinelsAway_SaysSoAndWorksLater()
    {
        var configuration = Configuration;
        await using var store = RedisFixture.Make(configuration);
        await _sentinels[0].KillAsync();
        await store.OpenAsync(default);
        await _sentinels[1].KillAsync();
        await _sentinels[2].KillAsync();
        await using var other = RedisFixture.Make(configuration);

        var e = await other.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        (e.NotTaken, other.Fault).ShouldBe((true, e.Message));
        e.Message.ShouldContain("fence of the Sentinels");
        var gateway = await RedisGateway.StartOpenAsync(store);
        (await gateway.EnterAsync("a", 1)).Status.ShouldBe(
            EnterStatus.Admitted, "the master is there, and nobody needs the Sentinels now");
    }

    [Theory]
    [InlineData("{sentinel},serviceName=nobody", "know no service 'nobody'")]
    [InlineData("{master},serviceName=fence", "know no service 'fence'")]
    [InlineData("{sentinel}", "is a Sentinel: name its service with serviceName=")]
    public async Task OpenAsync_OfTheWrongServers_SaysWhatToWrite(string configuration, string expected)
    {
        await using var store = RedisFixture.Make(configuration
            .Replace("{sentinel}", $"127.0.0.1:{_sentinels[0].Port}", StringComparison.Ordinal)
            .Replace("{master}", _master.Configuration, StringComparison.Ordinal));

        var e = await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();

        e.NotTaken.ShouldBeTrue();
        e.Message.ShouldContain(expected);
    }

    private Task UntilReplicatedAsync() => RedisFixture.UntilAsync(async () =>
        (await _replica.CommandAsync("KEYS", "*:r:a")).Contains(":r:a", StringComparison.Ordinal));
}
