using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Tests.Quorum;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>What Garnet keeps, and what can be told of it.</summary>
[Collection(OneAtATime.Garnets)]
public sealed class GarnetTests
{
    private static readonly RedisServerOptions Garnet = new() { Garnet = true };

    [Fact]
    public async Task KillAfterAnAnswer_AndRestart_KeepsTheMarkAndTheSession()
    {
        await using var server = await RedisServer.StartAsync(Garnet);
        await using var store = RedisFixture.Make(server.Configuration);
        var gateway = await RedisGateway.StartAsync(store);
        for (var round = 1; round <= 3; round++)
        {
            (await gateway.EnterAsync("a", round * 10)).Status.ShouldBe(EnterStatus.Admitted);
            await server.KillAsync();
            await server.RestartAsync();

            await RedisFixture.UntilAsync(
                async () => (await gateway.EnterAsync("a", round * 10 - 1)).Status == EnterStatus.Stale);
            (await gateway.BeatAsync()).Alive.ShouldBeTrue();
        }
    }

    [Fact]
    public async Task Grade_CannotBeRead_SoItIsBestEffortAndSaysWhy()
    {
        await using var server = await RedisServer.StartAsync(Garnet);
        await using var store = RedisFixture.Make(server.Configuration);

        await store.OpenAsync(default);

        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldStartWith("It is Garnet ");
    }

    [Fact]
    public async Task Changed_AfterARestart_IsCalledAgain()
    {
        await using var server = await RedisServer.StartAsync(Garnet);
        var prefix = RedisFixture.NextPrefix();
        await using var first = RedisFixture.Make(server.Configuration, prefix);
        await using var second = RedisFixture.Make(server.Configuration, prefix);
        var (one, two) = (await RedisGateway.StartAsync(first), await RedisGateway.StartAsync(second));
        await one.EnterAsync("a", 1);
        await server.RestartAsync();
        var told = new TaskCompletionSource();
        first.Changed += _ => told.TrySetResult();

        var token = 1;
        await RedisFixture.UntilAsync(async () =>
        {
            await one.BeatAsync();
            await two.EnterAsync("a", ++token, oldest: 1);
            return told.Task.IsCompleted;
        });
    }

    [Fact]
    public async Task Quorum_OfThreeOfThem_GoesOnWithOneLostAndMakesItWholeAgain()
    {
        var servers = await QuorumFixture.StartAsync(options: Garnet);
        try
        {
            await using var store = QuorumFixture.Make(servers);
            var gateway = new ConformanceGateway(store);
            await store.OpenAsync(default);
            await gateway.StartSessionAsync();
            await gateway.EnterAsync("r", 5);
            store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
            store.Info.GradeReasons.Count.ShouldBe(3);

            await servers[2].RestartEmptyAsync();
            (await gateway.EnterAsync("r", 7)).Status.ShouldBe(EnterStatus.Admitted);

            await Eventually.IsSoAsync(
                async () =>
                {
                    await gateway.HeartbeatAsync();
                    return await servers[2].CommandAsync("HGET", "{fg}:q:r:r", "mark") == "0000000000000000007";
                },
                "the node to be made whole again", isNotYet: e => e is TokenStoreUnavailableException);
        }
        finally
        {
            foreach (var server in servers)
            {
                await server.DisposeAsync();
            }
        }
    }
}
