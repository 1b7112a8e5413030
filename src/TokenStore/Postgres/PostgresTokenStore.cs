using System.Data.Common;
using FenceGateway.TokenStore.Sql;
using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>
/// Marks in PostgreSQL. Every step is one call of a function of the schema, one transaction; docs/stores.md tells what
/// the server and its role need.
/// </summary>
public sealed class PostgresTokenStore : SqlTokenStore
{
    private readonly PostgresTokenStoreOptions _options;
    private readonly TimeProvider _time;

    /// <summary>Makes the store; nothing is connected before <see cref="SqlTokenStore.OpenAsync"/>.</summary>
    public PostgresTokenStore(PostgresTokenStoreOptions options, TimeProvider clock, ILogger<PostgresTokenStore> logger)
        : base("Postgres", "PostgreSQL", logger)
    {
        _options = options;
        _time = clock;
        Sql = new PostgresStatements(options.KeyPrefix);
    }

    private protected override PostgresStatements Sql { get; }

    private protected override ValueTask<Heartbeat> BeatAsync(
        string session, CancellationToken cancellationToken) => OfSessionAsync(
        async (connection, givenUp) =>
        {
            await using var batch = ((NpgsqlConnection)connection).CreateBatch();
            batch.BatchCommands.Add(new(Sql.Prolong) { Parameters = { new() { Value = session } } });
            batch.BatchCommands.Add(new(Sql.Revoked) { Parameters = { new() { Value = session } } });
            await using var reader = await batch.ExecuteReaderAsync(givenUp);
            var alive = await reader.ReadAsync(givenUp);
            List<ResourceChange> revoked = [];
            await reader.NextResultAsync(givenUp);
            while (await reader.ReadAsync(givenUp))
            {
                revoked.Add(
                    new ResourceChange(
                        SqlKey.Decode(await reader.GetFieldValueAsync<byte[]>(0, givenUp)), reader.GetInt64(1)));
            }

            return alive ? new Heartbeat(true, revoked) : Heartbeat.Ended;
        },
        cancellationToken);

    /// <inheritdoc/>
    public override async ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
    {
        byte[][] keys = [.. registrations.Select(registration => SqlKey.Encode(registration.Resource))];
        long[] sequences = [.. registrations.Select(registration => registration.Sequence)];
        await StepAsync(
            (connection, givenUp) => Sql.ExecuteAsync(
                connection, Sql.Withdraw, givenUp, ("@session", session), ("@keys", keys), ("@sequences", sequences)),
            cancellationToken);
    }

    private protected override (ISqlConnections Connections, ISqlListener Listener) Connect()
    {
        var connections = new PostgresConnections(_options.ConnectionString, _options.Password, _time, Logger);
        return (connections, new PostgresListener(connections, _options.KeyPrefix, Tell, _time, Logger));
    }

    private protected override async Task<TokenStoreInfo> ReadInfoAsync(
        DbConnection connection, string location, CancellationToken cancellationToken)
    {
        var settings = await PostgresGrade.ReadAsync(
            (NpgsqlConnection)connection, _options.KeyPrefix, cancellationToken);
        if (settings.IsStandby)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"{location} is a standby, which can only be read: connect to the primary (several hosts with "
                + "Target Session Attributes=primary find it).");
        }

        var (grade, reasons) = settings.Compute();
        return new TokenStoreInfo("Postgres", grade, $"{location}, tables {_options.KeyPrefix}_*", reasons);
    }

    private protected override Task<string> EnsureTablesAsync(
        DbConnection connection, string location, CancellationToken cancellationToken) =>
        PostgresSchema.EnsureAsync(
            (NpgsqlConnection)connection, _options.KeyPrefix, location, Logger, cancellationToken);
}
