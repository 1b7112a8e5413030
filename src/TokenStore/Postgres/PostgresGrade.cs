using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>What the server does with a commit, as it says itself.</summary>
internal sealed record PostgresGrade(
    bool IsStandby, string Fsync, string FullPageWrites, string SynchronousCommit, string SynchronousStandbyNames,
    long Replicas, long Slots, string? UnloggedTables)
{
    private const string Query = """
        SELECT pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'),
               current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
               (SELECT count(*) FROM pg_stat_replication r
                  WHERE coalesce(r.state, '') <> 'backup'
                    AND coalesce(r.application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal')
                    AND r.pid NOT IN (SELECT s.active_pid FROM pg_replication_slots s
                                        WHERE s.active_pid IS NOT NULL AND s.slot_type = 'logical')),
               (SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary),
               (SELECT string_agg(c.relname, ', ' ORDER BY c.relname) FROM pg_class c
                  WHERE c.relpersistence <> 'p' AND c.relkind = 'r' AND c.oid IN (
                    to_regclass($1), to_regclass($2), to_regclass($3)))
        """;

    public static async Task<PostgresGrade> ReadAsync(
        NpgsqlConnection connection, string prefix, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Query, connection);
        foreach (var table in (string[])["sessions", "resources", "writers"])
        {
            command.Parameters.Add(new() { Value = $"\"{prefix}_{table}\"" });
        }

        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new PostgresGrade(
            reader.GetBoolean(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetString(4),
            reader.GetInt64(5), reader.GetInt64(6),
            await reader.IsDBNullAsync(7, cancellationToken) ? null : reader.GetString(7));
    }

    public (SafetyGrade Grade, IReadOnlyList<string> Reasons) Compute()
    {
        List<string> reasons = [];
        if (Fsync != "on")
        {
            reasons.Add($"fsync is {Fsync}: a crash of the machine loses commits; set it to on.");
        }

        if (FullPageWrites != "on")
        {
            reasons.Add($"full_page_writes is {FullPageWrites}: a crash of the machine can tear pages; set it to on.");
        }

        if (SynchronousCommit is not ("on" or "remote_apply"))
        {
            reasons.Add($"synchronous_commit is {SynchronousCommit} and stays so for the gateway's role: a crash loses "
                + "the last commits; set it to on.");
        }

        if (SynchronousStandbyNames.Length == 0 && Replicas + Slots > 0)
        {
            reasons.Add($"synchronous_standby_names is empty while there are replicas ({Replicas} connected, {Slots} "
                + "replication slots): a failover loses the last commits; name the replicas that a commit has to "
                + "reach.");
        }

        if (UnloggedTables is not null)
        {
            reasons.Add($"{UnloggedTables} is UNLOGGED: a crash empties it; ALTER TABLE … SET LOGGED.");
        }

        return (reasons.Count == 0 ? SafetyGrade.Strict : SafetyGrade.BestEffort, reasons);
    }
}
