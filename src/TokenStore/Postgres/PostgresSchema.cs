using FenceGateway.TokenStore.Sql;
using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>
/// Makes or migrates the tables: numbered scripts, each in the transaction that also writes its number.
/// </summary>
internal static class PostgresSchema
{
    /// <summary>The version that this code works with.</summary>
    public const int Version = 1;

    // Gateways that start at the same moment take turns. The number is arbitrary, and this product's own.
    private const string Lock = "SELECT pg_advisory_xact_lock(1178944580, hashtext($1))";

    /// <summary>The tables' epoch, made with them.</summary>
    /// <exception cref="TokenStoreUnavailableException">The tables are of a newer version, or may not be
    /// made.</exception>
    public static async Task<string> EnsureAsync(
        NpgsqlConnection connection, string prefix, string location, ILogger logger,
        CancellationToken cancellationToken)
    {
        if (await ReadAsync(connection, prefix, cancellationToken) is { } found && found.Version >= Version)
        {
            return found.Version == Version
                ? found.Epoch
                : throw SqlSchema.Newer(prefix, location, found.Version, Version);
        }

        try
        {
            return await MigrateAsync(connection, prefix, location, logger, cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"The role may not make the tables {prefix}_* in {location} ({e.MessageText}). Grant it CREATE on the "
                + "schema, or have an administrator run the script in docs/stores.md.", e);
        }
    }

    /// <summary>The statements that make a version out of the one before.</summary>
    public static string Script(int version, string prefix) =>
        SqlSchema.Script(nameof(PostgresSchema), version, prefix);

    private static async Task<string> MigrateAsync(
        NpgsqlConnection connection, string prefix, string location, ILogger logger,
        CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using (var wait = new NpgsqlCommand(Lock, connection) { Parameters = { new() { Value = prefix } } })
        {
            await wait.ExecuteNonQueryAsync(cancellationToken);
        }

        // Somebody else may have done it meanwhile.
        var version = (await ReadAsync(connection, prefix, cancellationToken))?.Version ?? 0;
        for (var next = version + 1; next <= Version; next++)
        {
            await using var script = new NpgsqlCommand(Script(next, prefix), connection);
            await script.ExecuteNonQueryAsync(cancellationToken);
        }

        var (reached, epoch) = (await ReadAsync(connection, prefix, cancellationToken))!.Value;
        if (reached > Version)
        {
            throw SqlSchema.Newer(prefix, location, reached, Version);
        }

        await transaction.CommitAsync(cancellationToken);
        if (version < reached)
        {
            SqlStoreLog.SchemaMade(logger, prefix, reached, location);
        }

        return epoch;
    }

    private static async Task<(int Version, string Epoch)?> ReadAsync(
        NpgsqlConnection connection, string prefix, CancellationToken cancellationToken)
    {
        await using (var exists = new NpgsqlCommand(
            "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relname = $1 AND pg_table_is_visible(oid))", connection))
        {
            // Not to_regclass: that may answer from before the wait for the lock.
            exists.Parameters.Add(new() { Value = $"{prefix}_schema" });
            if (!(bool)(await exists.ExecuteScalarAsync(cancellationToken))!)
            {
                return null;
            }
        }

        await using var read = new NpgsqlCommand(
            $"""SELECT max(version), min(epoch) FILTER (WHERE version = 1) FROM "{prefix}_schema" """, connection);
        await using var reader = await read.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return (reader.GetInt32(0), reader.GetString(1));
    }
}
