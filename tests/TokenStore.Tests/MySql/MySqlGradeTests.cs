using FenceGateway.TestKit;
using FenceGateway.TokenStore.MySql;

namespace FenceGateway.TokenStore.Tests.MySql;

public sealed class MySqlGradeTests
{
    [Fact]
    public void Compute_EverythingOnAndNoReplica_IsStrict() => Grade().Grade.ShouldBe(SafetyGrade.Strict);

    [Theory]
    [InlineData("innodb_flush_log_at_trx_commit", "2", "innodb_flush_log_at_trx_commit is 2")]
    [InlineData("sync_binlog", "0", "sync_binlog is 0")]
    [InlineData("innodb_doublewrite", "OFF", "innodb_doublewrite is OFF")]
    [InlineData("innodb_doublewrite", "DETECT_ONLY", "innodb_doublewrite is DETECT_ONLY")]
    [InlineData("wsrep_on", "ON", "Galera")]
    [InlineData("group_replication_enforce_update_everywhere_checks", "ON", "several primaries")]
    public void Compute_OneWeakness_IsBestEffortAndSaysWhy(string name, string value, string reason)
    {
        var (grade, reasons) = Grade(0, (name, value));
        grade.ShouldBe(SafetyGrade.BestEffort);
        reasons.ShouldHaveSingleItem().ShouldContain(reason);
    }

    [Fact]
    public void Compute_BinaryLogOff_NeedsNoSyncOfIt() =>
        Grade(0, ("log_bin", "OFF"), ("sync_binlog", "0")).Grade.ShouldBe(SafetyGrade.Strict);

    [Fact]
    public void Compute_ReplicasThatMayNotBeSeen_IsBestEffort() =>
        Grade(null).Reasons.ShouldHaveSingleItem().ShouldContain("grant it REPLICATION SLAVE");

    [Theory]
    [InlineData("master", "AFTER_SYNC", "86400000", SafetyGrade.Strict)]
    [InlineData("source", "AFTER_SYNC", "18446744073709551615", SafetyGrade.Strict)]
    [InlineData("master", "AFTER_COMMIT", "86400000", SafetyGrade.BestEffort)]
    [InlineData("master", "AFTER_SYNC", "10000", SafetyGrade.BestEffort)]
    public void Compute_Replicas_AreStrictOnlyWhileEveryCommitWaitsForThem(
        string side, string point, string timeout, SafetyGrade grade) =>
        Grade(2, ($"rpl_semi_sync_{side}_enabled", "ON"), ($"rpl_semi_sync_{side}_wait_point", point), ($"rpl_semi_sync_{side}_timeout", timeout))
            .Grade.ShouldBe(grade);

    [Theory]
    [InlineData("master", "wait_no_slave")]
    [InlineData("source", "wait_no_replica")]
    public void Compute_ReplicasThatNobodyWaitsForWhenTheyAreAway_IsBestEffort(string side, string setting) =>
        Grade(2, ($"rpl_semi_sync_{side}_enabled", "ON"), ($"rpl_semi_sync_{side}_wait_point", "AFTER_SYNC"),
            ($"rpl_semi_sync_{side}_timeout", "86400000"),
            ($"rpl_semi_sync_{side}_{setting}", "OFF")).Grade.ShouldBe(SafetyGrade.BestEffort);

    [Fact]
    public void Compute_AsynchronousReplicas_IsBestEffort() =>
        Grade(1).Reasons.ShouldHaveSingleItem().ShouldContain("1 replicas are connected");

    [Fact]
    public async Task OpenAsync_RealServers_AreGradedByTheirSettings()
    {
        await using var server = await MariaDbServer.StartAsync(
            "log-bin=log", "server-id=1", "sync-binlog=0", "innodb-flush-log-at-trx-commit=2");
        await using var store = MariaDbFixture.CreateStore(server.ConnectionString(), "fg");
        await store.OpenAsync(default);
        store.Info.Grade.ShouldBe(SafetyGrade.BestEffort);
        store.Info.GradeReasons.Count.ShouldBe(2);
        store.Info.Location.ShouldBe($"127.0.0.1:{server.Port}/test, tables fg_*");

        await server.QueryAsync("SET GLOBAL sync_binlog = 1; SET GLOBAL innodb_flush_log_at_trx_commit = 1");
        await store.OpenAsync(default);
        store.Info.Grade.ShouldBe(SafetyGrade.Strict);

        await server.QueryAsync("SET GLOBAL binlog_format = STATEMENT");
        (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.OpenAsync(default)))
            .Message.ShouldContain("set it to ROW or MIXED");

        await server.QueryAsync("SET GLOBAL read_only = 1");
        (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.OpenAsync(default)))
            .Message.ShouldContain("is read_only, as replicas are");
    }

    private static (SafetyGrade Grade, IReadOnlyList<string> Reasons) Grade(
        long? replicas = 0, params (string Name, string Value)[] changed)
    {
        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            ["innodb_flush_log_at_trx_commit"] = "1",
            ["log_bin"] = "ON",
            ["sync_binlog"] = "1",
            ["innodb_doublewrite"] = "ON",
            ["read_only"] = "OFF",
        };
        foreach (var (name, value) in changed)
        {
            settings[name] = value;
        }

        return new MySqlGrade(settings, replicas).Compute();
    }
}
