using System.Collections.Concurrent;
using MySql.Data.MySqlClient;

namespace FenceGateway.TokenStore.MySql;

/// <summary>
/// The connections of one opening of the store: some for steps, and a few of their own for the session and the poll, so that a
/// heartbeat never waits for steps that wait for each other.
/// </summary>
internal sealed class MySqlConnections : IAsyncDisposable
{
    private const int DefaultPlaces = 16;
    private const int SessionPlaces = 4;
    private const uint DriversDefaultPlaces = 100;
    private const uint ConnectSeconds = 5;

    /// <exception cref="ArgumentException">The connection string is none.</exception>
    public MySqlConnections(string connectionString)
    {
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
        Steps = new MySqlPlaces(builder.ConnectionString, places);
        Session = new MySqlPlaces(builder.ConnectionString, SessionPlaces);
    }

    /// <summary>Where the server is, for people.</summary>
    public string Location { get; }

    public MySqlPlaces Steps { get; }

    public MySqlPlaces Session { get; }

    public async ValueTask DisposeAsync()
    {
        await Steps.DisposeAsync();
        await Session.DisposeAsync();
    }
}

/// <summary>A bounded number of connections to the server, opened when they are needed and kept.</summary>
internal sealed class MySqlPlaces(string connectionString, int count) : IAsyncDisposable
{
    // A lock that was not got is undone for certain; whoever called has gone by then.
    private const string Settings =
        "SET SESSION autocommit = 1, innodb_lock_wait_timeout = 3, sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00'";

    private readonly SemaphoreSlim _free = new(count);
    private readonly ConcurrentStack<MySqlConnection> _idle = new();
    private volatile bool _closed;

    /// <summary>Waits for a place.</summary>
    public Task EnterAsync(CancellationToken cancellationToken) => _free.WaitAsync(cancellationToken);

    public void Leave() => _free.Release();

    /// <summary>A connection for whoever has a place.</summary>
    public async Task<MySqlConnection> RentAsync()
    {
        if (_idle.TryPop(out var idle))
        {
            return idle;
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

        _idle.Push(connection);
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
        while (_idle.TryPop(out var connection))
        {
            await connection.DisposeAsync();
        }
    }
}
