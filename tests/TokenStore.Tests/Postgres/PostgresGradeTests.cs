using FenceGateway.TestKit;
using FenceGateway.TokenStore.Postgres;

namespace FenceGateway.TokenStore.Tests.Postgres;

public sealed class PostgresGradeTests
{
    private static readonly PostgresGrade Safe = new(false, "on", "on", "on", "", 0, 0, null);

    public static TheoryData<string, string> Weaknesses => new()
    {
        { "fsync", "fsync is off" },
        { "full_page_writes", "full_page_writes is off" },
        { "synchronous_commit", "synchronous_commit is local" },
        { "replicas", "1 connected, 0 replication slots" },
        { "slots", "0 connected, 2 replication slots" },
        { "unlogged", "fg_resources is UNLOGGED" },
    };

    [Fact]
    public void Compute_EverythingOnAndNoReplica_IsStrict()
    {
        var (grade, reasons) = Safe.Compute();
        grade.ShouldBe(SafetyGrade.Strict);
        reasons.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Weaknesses))]
    public void Compute_OneWeakness_IsBestEffortAndSaysWhy(string weakness, string reason)
    {
        var settings = weakness switch
        {
            "fsync" => Safe with { Fsync = "off" },
            "full_page_writes" => Safe with { FullPageWrites = "off" },
            "synchronous_commit" => Safe with { SynchronousCommit = "local" },
            "replicas" => Safe with { Replicas = 1 },
            "slots" => Safe with { Slots = 2 },
            _ => Safe with { UnloggedTables = "fg_resources" },
        };
        var (grade, reasons) = settings.Compute();
        grade.ShouldBe(SafetyGrade.BestEffort);
        reasons.ShouldHaveSingleItem().ShouldContain(reason);
    }

    [Fact]
    public void Compute_ReplicasThatACommitHasToReach_IsStrict() =>
        (Safe with { Replicas = 2, SynchronousStandbyNames = "ANY 1 (*)", SynchronousCommit = "remote_apply" })
            .Compute().Grade.ShouldBe(SafetyGrade.Strict);

    [Fact]
    public async Task OpenAsync_RealServers_AreGradedBySettingsReplicasAndRole()
    {
        await using var server = await PostgresServer.StartAsync();
        await server.QueryAsync(
            "CREATE ROLE careless LOGIN; ALTER ROLE careless SET synchronous_commit = off; GRANT ALL ON SCHEMA public "
                + "TO careless");
        await using var store = PostgresFixture.CreateStore(server.ConnectionString(user: "careless"), "fg");
        await store.OpenAsync(default);
        store.Info.Grade.ShouldBe(
            SafetyGrade.Strict, "the gateway's own connections commit synchronously, whatever the role's default");
        store.Info.Location.ShouldBe($"127.0.0.1:{server.Port}/postgres, tables fg_*");

        await using var replica = await server.StartReplicaAsync("second");
        await store.OpenAsync(default);
        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("synchronous_standby_names is empty");

        await server.QueryAsync("ALTER SYSTEM SET synchronous_standby_names = 'second'");
        await server.QueryAsync("SELECT pg_reload_conf()");
        await Eventually.IsSoAsync(
            async () =>
            {
                await store.HeartbeatAsync("no session at all", default);
                return store.Info.Grade == SafetyGrade.Strict;
            },
            "the settings are read again");

        await using var standby = PostgresFixture.CreateStore(replica.ConnectionString(user: "careless"), "fg");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await standby.OpenAsync(default));
        refused.Message.ShouldContain("is a standby, which can only be read");
    }

    [Fact]
    public async Task OpenAsync_ServerWithoutFsync_IsBestEffort()
    {
        await using var server = await PostgresServer.StartAsync("fsync=off");
        await using var store = PostgresFixture.CreateStore(server.ConnectionString(), "fg");
        await store.OpenAsync(default);
        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.ShouldHaveSingleItem().ShouldContain("fsync is off");
    }
}
