using System.Collections.Concurrent;
using System.Data.Common;
using FenceGateway.TokenStore.Sql;
using Microsoft.Extensions.Logging;
using MySql.Data.MySqlClient;

namespace FenceGateway.TokenStore.MySql;

/// <summary>Some connections for steps, and a few of their own for the session and the poll.</summary>
internal sealed class MySqlConnections : ISqlConnections
{
    private const int DefaultPlaces = 16;
    private const int SessionPlaces = 4;
    private const uint DriversDefaultPlaces = 100;
    private const uint ConnectSeconds = 5;
    private readonly ILogger _logger;
    private readonly MySqlPlaces _steps;
    private readonly MySqlPlaces _session;

    /// <exception cref="ArgumentException">The connection string is none.</exception>
    public MySqlConnections(string connectionString, ILogger logger)
    {
        _logger = logger;
        var builder = new MySqlConnectionStringBuilder(connectionString)
        {
            // The driver's own pool blocks threads while it is empty, and its time-outs ask the server on a second connection.
            Pooling = false,
            DefaultCommandTimeout = 0,
            UseCompression = false,
            AutoEnlist = false,
        };
        builder.ConnectionTimeout = Math.Min(builder.ConnectionTimeout, ConnectSeconds);
        Location = $"{builder.Server}:{builder.Port}/{builder.Database}";
        var places = builder.MaximumPoolSize == DriversDefaultPlaces ? DefaultPlaces : (int)Math.Max(1, builder.MaximumPoolSize);
        _steps = new MySqlPlaces(builder.ConnectionString, places);
        _session = new MySqlPlaces(builder.ConnectionString, SessionPlaces);
    }

    public string Location { get; }

    public ValueTask<T> StepAsync<T>(Func<DbConnection, Task<T>> call, CancellationToken cancellationToken) =>
        MySqlCalls.RunAsync(_steps, _logger, call, cancellationToken);

    public ValueTask<T> OfSessionAsync<T>(Func<DbConnection, Task<T>> call, CancellationToken cancellationToken) =>
        MySqlCalls.RunAsync(_session, _logger, call, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _steps.DisposeAsync();
        await _session.DisposeAsync();
    }
}

/// <summary>A bounded number of connections to the server, opened when they are needed and kept.</summary>
internal sealed class MySqlPlaces(string connectionString, int count) : IAsyncDisposable
{
    // A lock that was not got is undone for certain; whoever called has gone by then.
    private const string Settings =
        "SET SESSION autocommit = 1, innodb_lock_wait_timeout = 3, sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00'";

    // A firewall or a NAT may silently have forgotten one that was idle for longer; the driver keeps none alive but on Windows.
    private static readonly TimeSpan LongestIdle = TimeSpan.FromMinutes(1);

    private readonly SemaphoreSlim _free = new(count);
    private readonly ConcurrentStack<(MySqlConnection Connection, long Since)> _idle = new();
    private volatile bool _closed;

    /// <summary>Waits for a place.</summary>
    public Task EnterAsync(CancellationToken cancellationToken) => _free.WaitAsync(cancellationToken);

    public void Leave() => _free.Release();

    /// <summary>A connection for whoever has a place.</summary>
    public async Task<MySqlConnection> RentAsync()
    {
        while (_idle.TryPop(out var idle))
        {
            if (TimeProvider.System.GetElapsedTime(idle.Since) < LongestIdle)
            {
                return idle.Connection;
            }

            await idle.Connection.DisposeAsync();
        }

        var connection = new MySqlConnection(connectionString);
        try
        {
            await connection.OpenAsync(CancellationToken.None);
            await using var command = new MySqlCommand(Settings, connection);
            await command.ExecuteNonQueryAsync(CancellationToken.None);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Back for the next; only when its call has ended well.</summary>
    public async ValueTask ReturnAsync(MySqlConnection connection)
    {
        if (_closed)
        {
            await connection.DisposeAsync();
            return;
        }

        _idle.Push((connection, TimeProvider.System.GetTimestamp()));
        if (_closed)
        {
            await CloseIdleAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _closed = true;
        await CloseIdleAsync();
    }

    private async ValueTask CloseIdleAsync()
    {
        while (_idle.TryPop(out var idle))
        {
            await idle.Connection.DisposeAsync();
        }
    }
}
