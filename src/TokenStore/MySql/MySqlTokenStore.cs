using System.Data.Common;
using FenceGateway.TokenStore.Sql;
using MySqlConnector;

namespace FenceGateway.TokenStore.MySql;

/// <summary>
/// Marks in MySQL or MariaDB. Every step is one call of a procedure of the schema, one transaction and one round trip;
/// docs/stores.md tells what the server and its user need.
/// </summary>
public sealed class MySqlTokenStore : SqlTokenStore
{
    private readonly MySqlTokenStoreOptions _options;
    private readonly TimeProvider _time;

    /// <summary>Makes the store; nothing is connected before <see cref="SqlTokenStore.OpenAsync"/>.</summary>
    public MySqlTokenStore(MySqlTokenStoreOptions options, TimeProvider clock, ILogger<MySqlTokenStore> logger)
        : base("MySql", "MySQL", logger)
    {
        _options = options;
        _time = clock;
        Sql = new MySqlStatements(options.KeyPrefix);
    }

    private protected override MySqlStatements Sql { get; }

    private protected override async ValueTask<Heartbeat> BeatAsync(string session, CancellationToken cancellationToken)
    {
        var rows = await OfSessionAsync(
            (connection, givenUp) => Sql.RowsAsync(
                connection, Sql.Heartbeat,
                static row =>
                    row.IsDBNull(0)
                        ? (ResourceChange?)null
                        : new(SqlKey.Decode(row.GetFieldValue<byte[]>(0)), row.GetInt64(1)), givenUp,
                ("@session", session)),
            cancellationToken);
        return rows.Contains(null) ? new Heartbeat(true, [.. rows.OfType<ResourceChange>()]) : Heartbeat.Ended;
    }

    /// <inheritdoc/>
    public override async ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
    {
        if (registrations.Count == 0)
        {
            return;
        }

        (byte[] Key, long Sequence)[] ordered =
        [
            .. registrations.Select(registration => (Key: SqlKey.Encode(registration.Resource), registration.Sequence))
                .OrderBy(registration => registration.Key, SqlKey.Order),
        ];
        (string, object)[] parameters =
        [
            ("@session", session),
            .. ordered.Select((registration, i) => ($"@r{i}", (object)registration.Key)),
            .. ordered.Select((registration, i) => ($"@s{i}", (object)registration.Sequence)),
        ];
        await StepAsync(
            (connection, givenUp) => Sql.ExecuteAsync(connection, Sql.Withdraw(ordered.Length), givenUp, parameters),
            cancellationToken);
    }

    private protected override (ISqlConnections Connections, ISqlListener Listener) Connect()
    {
        var connections = new MySqlConnections(_options.ConnectionString, _options.Password, _time, Logger);
        return (connections, new MySqlPoll(connections, Sql, Tell, _time, Logger));
    }

    private protected override async Task<TokenStoreInfo> ReadInfoAsync(
        DbConnection connection, string location, CancellationToken cancellationToken)
    {
        var settings = await MySqlGrade.ReadAsync((MySqlConnection)connection);
        if (settings.CannotRun is { } reason)
        {
            throw TokenStoreUnavailableException.NothingTaken($"{location}: {reason}");
        }

        var (grade, reasons) = settings.Compute();
        return new TokenStoreInfo("MySql", grade, $"{location}, tables {_options.KeyPrefix}_*", reasons);
    }

    private protected override Task<string> EnsureTablesAsync(
        DbConnection connection, string location, CancellationToken cancellationToken) =>
        MySqlSchema.EnsureAsync((MySqlConnection)connection, _options.KeyPrefix, location, Logger);
}
