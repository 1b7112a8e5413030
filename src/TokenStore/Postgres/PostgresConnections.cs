using System.Data.Common;
using FenceGateway.TokenStore.Sql;
using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>A pool for steps, and a small one of its own for the session and the listener.</summary>
internal sealed class PostgresConnections : ISqlConnections
{
    private const int DefaultPoolSize = 16;
    private const int SessionPoolSize = 4;

    private const int KeepAliveSeconds = 10;
    private const int SettingsSeconds = 5;

    // Whoever called has gone by then; what waits any longer only keeps a connection. A lock that was not got, and a
    // statement that was ended, are undone for certain. A commit that waits for a standby knows no limit.
    private const string Settings = """
        SELECT set_config('synchronous_commit', 'on', false)
          WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');
        SELECT set_config('default_transaction_isolation', 'read committed', false),
               set_config('lock_timeout', '3s', false), set_config('statement_timeout', '10s', false);
        """;

    private readonly ILogger _logger;
    private readonly NpgsqlDataSource _steps;
    private readonly NpgsqlDataSource _session;
    private readonly PostgresCallsUnderWay _underWay;

    /// <exception cref="ArgumentException">The connection string is none.</exception>
    public PostgresConnections(string connectionString, Func<string>? password, TimeProvider time, ILogger logger)
    {
        _logger = logger;
        _underWay = new PostgresCallsUnderWay(time);
        var builder = new NpgsqlConnectionStringBuilder(connectionString)
        {
            // A reset would undo the settings above.
            NoResetOnClose = true,
            MaxAutoPrepare = 32,
            AutoPrepareMinUsages = 2,

            // A call that has to be given up is cancelled on a thread of its own. The driver's time-out would ask the
            // server on a second connection, and block a thread of the pool until that is answered.
            CommandTimeout = 0,

            // The connection is closed at once then.
            CancellationTimeout = -1,
            Enlist = false,
        };
        if (!builder.ShouldSerialize("TCP Keepalive"))
        {
            (builder.TcpKeepAlive, builder.TcpKeepAliveTime, builder.TcpKeepAliveInterval) = (
                true, KeepAliveSeconds, 1);
        }

        builder.ApplicationName ??= "fencegateway";
        if (!builder.ShouldSerialize("Maximum Pool Size"))
        {
            builder.MaxPoolSize = DefaultPoolSize;
        }

        builder.MinPoolSize = 0;
        Location = $"{builder.Host}:{builder.Port}/{builder.Database ?? builder.Username}";
        _steps = Build(builder, password);
        builder.MaxPoolSize = SessionPoolSize;
        _session = Build(builder, password);
    }

    public string Location { get; }

    public ValueTask<T> StepAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        PostgresCalls.RunAsync(_steps, _underWay, _logger, call, cancellationToken);

    public ValueTask<T> OfSessionAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        PostgresCalls.RunAsync(_session, _underWay, _logger, call, cancellationToken);

    /// <summary>One of the session's connections, for as long as the caller keeps it.</summary>
    public ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken) =>
        _session.OpenConnectionAsync(cancellationToken);

    /// <summary>Runs a statement on it.</summary>
    public async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        using var statement = _underWay.Begin();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(statement.GivenUp);
    }

    public async ValueTask DisposeAsync()
    {
        _underWay.GiveUpAll();
        await _steps.DisposeAsync();
        await _session.DisposeAsync();
    }

    private static NpgsqlDataSource Build(NpgsqlConnectionStringBuilder settings, Func<string>? password)
    {
        var builder = new NpgsqlDataSourceBuilder(settings.ConnectionString);
        if (password is not null)
        {
            builder.UsePasswordProvider(_ => password(), (_, _) => ValueTask.FromResult(password()));
        }

        // Nothing but built-in types is sent or read: reading the others would be the dearest query of a connection's
        // start.
        builder.ConfigureTypeLoading(static types => types.EnableTypeLoading(false));
        builder.UsePhysicalConnectionInitializer(
            connection =>
            {
                using var command = new NpgsqlCommand(Settings, connection) { CommandTimeout = SettingsSeconds };
                command.ExecuteNonQuery();
            },
            async connection =>
            {
                await using var command = new NpgsqlCommand(Settings, connection) { CommandTimeout = SettingsSeconds };
                await command.ExecuteNonQueryAsync();
            });
        return builder.Build();
    }
}
