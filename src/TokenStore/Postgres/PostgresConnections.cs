using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>
/// The connections of one opening of the store: a pool for steps, and a small one of its own for the session and the listener, so that
/// a heartbeat never waits for steps that wait for each other.
/// </summary>
internal sealed class PostgresConnections : IAsyncDisposable
{
    private const int DefaultPoolSize = 16;
    private const int SessionPoolSize = 4;

    // Whoever called has gone by then; what waits any longer only keeps a connection. A lock that was not got, and a statement that was
    // ended, are undone for certain.
    private const string Settings = """
        SELECT set_config('synchronous_commit', 'on', false)
          WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');
        SELECT set_config('default_transaction_isolation', 'read committed', false),
               set_config('lock_timeout', '3s', false), set_config('statement_timeout', '10s', false);
        """;

    /// <exception cref="ArgumentException">The connection string is none.</exception>
    public PostgresConnections(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString)
        {
            // A reset would undo the settings above.
            NoResetOnClose = true,
            MaxAutoPrepare = 32,
            AutoPrepareMinUsages = 2,
            CommandTimeout = 0,
            Enlist = false,
        };
        builder.ApplicationName ??= "fencegateway";
        if (!builder.ShouldSerialize("Maximum Pool Size"))
        {
            builder.MaxPoolSize = DefaultPoolSize;
        }

        builder.MinPoolSize = 0;
        Location = $"{builder.Host}:{builder.Port}/{builder.Database ?? builder.Username}";
        Steps = Build(builder);
        builder.MaxPoolSize = SessionPoolSize;
        builder.KeepAlive = builder.KeepAlive == 0 ? 10 : builder.KeepAlive;
        Session = Build(builder);
    }

    /// <summary>Where the server is, for people.</summary>
    public string Location { get; }

    public NpgsqlDataSource Steps { get; }

    public NpgsqlDataSource Session { get; }

    public async ValueTask DisposeAsync()
    {
        await Steps.DisposeAsync();
        await Session.DisposeAsync();
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
