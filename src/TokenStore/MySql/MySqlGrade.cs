using MySqlConnector;

namespace FenceGateway.TokenStore.MySql;

/// <summary>What the server does with a commit, as it says itself.</summary>
/// <param name="Settings">Global variables and states by their names in lower case; what a server does not have is
/// absent.</param>
/// <param name="Replicas">How many replicas are connected; null when that may not be seen.</param>
internal sealed record MySqlGrade(IReadOnlyDictionary<string, string> Settings, long? Replicas)
{
    private const double DayInMilliseconds = 86_400_000;

    /// <summary>Why no step could be taken here; null when they can.</summary>
    public string? CannotRun => HasLog && Get("binlog_format").Equals("STATEMENT", StringComparison.OrdinalIgnoreCase)
        ? "binlog_format is STATEMENT, which READ COMMITTED excludes: set it to ROW or MIXED."
        : null;

    private bool HasLog => Is("log_bin");

    public static async Task<MySqlGrade> ReadAsync(MySqlConnection connection)
    {
        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        await AddAsync(connection, "SHOW GLOBAL VARIABLES", settings);
        await AddAsync(connection, "SHOW GLOBAL STATUS LIKE 'Slaves_connected'", settings);
        return new MySqlGrade(settings, await CountReplicasAsync(connection, settings));
    }

    public (SafetyGrade Grade, IReadOnlyList<string> Reasons) Compute()
    {
        List<string> reasons = [];
        if (Get("innodb_flush_log_at_trx_commit") != "1")
        {
            reasons.Add(
                $"innodb_flush_log_at_trx_commit is {Get("innodb_flush_log_at_trx_commit")}: a crash loses the last "
                    + "commits; set it to 1.");
        }

        if (HasLog && Get("sync_binlog") != "1")
        {
            reasons.Add($"sync_binlog is {Get("sync_binlog")}: after a crash of the machine, commits that are missing "
                + "in the binary log are undone; set it to 1.");
        }

        if (Get("innodb_doublewrite").ToUpperInvariant() is "OFF" or "0" or "DETECT_ONLY")
        {
            reasons.Add(
                $"innodb_doublewrite is {Get("innodb_doublewrite")}: a crash of the machine can tear pages; set it to "
                    + "ON.");
        }

        if (Is("wsrep_on"))
        {
            reasons.Add("wsrep_on is ON: nodes of a Galera cluster do not lock rows for each other, and two of them "
                + "could admit writes that exclude each other; it holds only while all gateways use the same node.");
        }

        if (Is("group_replication_enforce_update_everywhere_checks"))
        {
            reasons.Add(
                "group replication runs with several primaries, which do not lock rows for each other; use the "
                    + "single-primary mode.");
        }

        if (Replicas is null)
        {
            reasons.Add("log_bin is ON and the user may not see whether there are replicas: grant it REPLICATION SLAVE "
                + "(MariaDB: REPLICATION MASTER ADMIN).");
        }
        else if (Replicas > 0 && !WaitsForReplicas())
        {
            reasons.Add($"{Replicas} replicas are connected and a commit does not wait for them: a failover loses the "
                + "last commits; use semisynchronous replication with AFTER_SYNC and a time-out of a day or more.");
        }

        return (reasons.Count == 0 ? SafetyGrade.Strict : SafetyGrade.BestEffort, reasons);
    }

    /// <summary>
    /// After its time-out, and when no replica is connected and it is told not to wait for one, semisynchronous
    /// replication goes on without.
    /// </summary>
    private bool WaitsForReplicas() => ((string[])["master", "source"]).Any(side =>
        Is($"rpl_semi_sync_{side}_enabled")
        && Get($"rpl_semi_sync_{side}_wait_point").Equals("AFTER_SYNC", StringComparison.OrdinalIgnoreCase)
        && Get($"rpl_semi_sync_{side}_wait_no_{(side == "master" ? "slave" : "replica")}") is not ("OFF" or "0")
        && double.TryParse(Get($"rpl_semi_sync_{side}_timeout"), CultureInfo.InvariantCulture, out var timeout)
        && timeout >= DayInMilliseconds);

    private bool Is(string name) => Get(name) is "ON" or "1" or "YES";

    private string Get(string name) => Settings.TryGetValue(name, out var value) ? value : "";

    private static async Task AddAsync(MySqlConnection connection, string sql, Dictionary<string, string> settings)
    {
        await using var command = new MySqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            settings[reader.GetString(0)] = await reader.IsDBNullAsync(1) ? "" : reader.GetString(1);
        }
    }

    private static async Task<long?> CountReplicasAsync(MySqlConnection connection, Dictionary<string, string> settings)
    {
        if (settings.TryGetValue("Slaves_connected", out var connected))
        {
            return long.Parse(connected, CultureInfo.InvariantCulture);
        }

        if (!settings.TryGetValue("log_bin", out var log) || log != "ON")
        {
            return 0;
        }

        try
        {
            await using var command = new MySqlCommand("SHOW REPLICAS", connection);
            await using var reader = await command.ExecuteReaderAsync();
            var count = 0;
            while (await reader.ReadAsync())
            {
                count++;
            }

            return count;
        }
        catch (MySqlException)
        {
            return null;
        }
    }
}
