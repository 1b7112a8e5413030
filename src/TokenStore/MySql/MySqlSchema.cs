using FenceGateway.TokenStore.Sql;
using MySqlConnector;

namespace FenceGateway.TokenStore.MySql;

/// <summary>
/// Makes or migrates the tables and procedures: numbered scripts, each of which writes its number last.
/// </summary>
internal static class MySqlSchema
{
    /// <summary>The version that this code works with.</summary>
    public const int Version = 1;

    private const string StatementEnd = "\n$$\n";

    // CREATE, ALTER and DROP of tables, CREATE and ALTER of routines.
    private static readonly HashSet<int> Denied = [1044, 1142, 1227, 1370, 1419];

    /// <summary>The tables' epoch, made with them.</summary>
    /// <exception cref="TokenStoreUnavailableException">The tables are of a newer version, or may not be
    /// made.</exception>
    public static async Task<string> EnsureAsync(
        MySqlConnection connection, string prefix, string location, ILogger logger)
    {
        if (await ReadAsync(connection, prefix) is { } found && found.Version >= Version)
        {
            return found.Version == Version
                ? found.Epoch
                : throw SqlSchema.Newer(prefix, location, found.Version, Version);
        }

        try
        {
            return await MigrateAsync(connection, prefix, location, logger);
        }
        catch (MySqlException e) when (Denied.Contains(e.Number))
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"The user may not make the tables {prefix}_* in {location} ({e.Message}). Grant it CREATE, CREATE "
                + "ROUTINE and ALTER ROUTINE on the database, or have an administrator run the script in "
                + "docs/stores.md.", e);
        }
    }

    /// <summary>The statements that make a version out of the one before.</summary>
    public static IReadOnlyList<string> Script(int version, string prefix) =>
        SqlSchema.Script(nameof(MySqlSchema), version, prefix)
        .Split(StatementEnd, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static async Task<string> MigrateAsync(
        MySqlConnection connection, string prefix, string location, ILogger logger)
    {
        var turn = $"fencegateway {prefix}";
        await using (var wait = new MySqlCommand("SELECT GET_LOCK(@turn, 20)", connection))
        {
            wait.Parameters.AddWithValue("@turn", turn);
            if (Convert.ToInt64(await wait.ExecuteScalarAsync(), null) != 1)
            {
                throw TokenStoreUnavailableException.NothingTaken(
                    $"Another gateway is making the tables {prefix}_* in {location}.");
            }
        }

        // Somebody else may have done it meanwhile.
        var version = (await ReadAsync(connection, prefix))?.Version ?? 0;
        for (var next = version + 1; next <= Version; next++)
        {
            foreach (var statement in Script(next, prefix))
            {
                await using var command = new MySqlCommand(statement, connection);
                await command.ExecuteNonQueryAsync();
            }
        }

        var (reached, epoch) = (await ReadAsync(connection, prefix))!.Value;
        await using (var release = new MySqlCommand("SELECT RELEASE_LOCK(@turn)", connection))
        {
            release.Parameters.AddWithValue("@turn", turn);
            await release.ExecuteScalarAsync();
        }

        if (reached > Version)
        {
            throw SqlSchema.Newer(prefix, location, reached, Version);
        }

        if (version < reached)
        {
            SqlStoreLog.SchemaMade(logger, prefix, reached, location);
        }

        return epoch;
    }

    private static async Task<(int Version, string Epoch)?> ReadAsync(MySqlConnection connection, string prefix)
    {
        try
        {
            await using var read = new MySqlCommand(
                $"SELECT version, (SELECT epoch FROM `{prefix}_schema` WHERE version = 1) FROM `{prefix}_schema` ORDER "
                    + "BY version DESC LIMIT 1",
                connection);
            await using var reader = await read.ExecuteReaderAsync();
            return await reader.ReadAsync() ? (reader.GetInt32(0), reader.GetString(1)) : null;
        }
        catch (MySqlException e) when (e.Number == (int)MySqlErrorCode.NoSuchTable || Denied.Contains(e.Number))
        {
            // A user without any right on the table cannot see whether it is there.
            return null;
        }
    }
}
