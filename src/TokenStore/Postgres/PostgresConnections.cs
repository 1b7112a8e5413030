using System.Data.Common;
using FenceGateway.TokenStore.Sql;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>A pool for steps, and a small one of its own for the session and the listener.</summary>
internal sealed class PostgresConnections : ISqlConnections
{
    private const int DefaultPoolSize = 16;
    private const int SessionPoolSize = 4;

    // Longer than the server's own limits below: only a connection that has silently gone (a firewall, a NAT) takes so long.
    private const int LongestStatementSeconds = 15;
    private const int KeepAliveSeconds = 10;

    // Whoever called has gone by then; what waits any longer only keeps a connection. A lock that was not got, and a statement that was
    // ended, are undone for certain.
    private const string Settings = """
        SELECT set_config('synchronous_commit', 'on', false)
          WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');
        SELECT set_config('default_transaction_isolation', 'read committed', false),
               set_config('lock_timeout', '3s', false), set_config('statement_timeout', '10s', false);
        """;

    private readonly ILogger _logger;
    private readonly NpgsqlDataSource _steps;
    private readonly NpgsqlDataSource _session;

    /// <exception cref="ArgumentException">The connection string is none.</exception>
    public PostgresConnections(string connectionString, ILogger logger)
    {
        _logger = logger;
        var builder = new NpgsqlConnectionStringBuilder(connectionString)
        {
            // A reset would undo the settings above.
            NoResetOnClose = true,
            MaxAutoPrepare = 32,
            AutoPrepareMinUsages = 2,
            CommandTimeout = LongestStatementSeconds,

            // The connection is closed then; the driver would ask the server on a second one, and block a thread until that is answered.
            CancellationTimeout = -1,
            Enlist = false,
        };
        if (!builder.ShouldSerialize("TCP Keepalive"))
        {
            (builder.TcpKeepAlive, builder.TcpKeepAliveTime, builder.TcpKeepAliveInterval) = (true, KeepAliveSeconds, 1);
        }

        builder.ApplicationName ??= "fencegateway";
        if (!builder.ShouldSerialize("Maximum Pool Size"))
        {
            builder.MaxPoolSize = DefaultPoolSize;
        }

        builder.MinPoolSize = 0;
        Location = $"{builder.Host}:{builder.Port}/{builder.Database ?? builder.Username}";
        _steps = Build(builder);
        builder.MaxPoolSize = SessionPoolSize;
        builder.KeepAlive = builder.KeepAlive == 0 ? KeepAliveSeconds : builder.KeepAlive;
        _session = Build(builder);
    }

    public string Location { get; }

    public ValueTask<T> StepAsync<T>(Func<DbConnection, Task<T>> call, CancellationToken cancellationToken) =>
        PostgresCalls.RunAsync(_steps, _logger, call, cancellationToken);

    public ValueTask<T> OfSessionAsync<T>(Func<DbConnection, Task<T>> call, CancellationToken cancellationToken) =>
        PostgresCalls.RunAsync(_session, _logger, call, cancellationToken);

    /// <summary>One of the session's connections, for as long as the caller keeps it.</summary>
    public ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken) => _session.OpenConnectionAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _steps.DisposeAsync();
        await _session.DisposeAsync();
    }

    private static NpgsqlDataSource Build(NpgsqlConnectionStringBuilder settings)
    {
        var builder = new NpgsqlDataSourceBuilder(settings.ConnectionString);
        builder.UsePhysicalConnectionInitializer(
            connection =>
            {
                using var command = new NpgsqlCommand(Settings, connection);
                command.ExecuteNonQuery();
            },
            async connection =>
            {
                await using var command = new NpgsqlCommand(Settings, connection);
                await command.ExecuteNonQueryAsync();
            });
        return builder.Build();
    }
}
