using System.Collections.Concurrent;
using FenceGateway.TokenStore.Sql;
using MySql.Data.MySqlClient;

namespace FenceGateway.TokenStore.MySql;

/// <summary>A bounded number of connections to the server, opened when they are needed and kept.</summary>
internal sealed class MySqlPlaces(string connectionString, int count, MySqlServerIdentity server, TimeProvider time) : IAsyncDisposable
{
    // A lock that was not got is undone for certain; whoever called has gone by then.
    private const string Settings =
        "SET SESSION autocommit = 1, innodb_lock_wait_timeout = 3, sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00'";

    // A firewall or a NAT may silently have forgotten one that was idle for longer; the driver keeps none alive but on Windows.
    private static readonly TimeSpan LongestIdle = TimeSpan.FromMinutes(1);

    private readonly SemaphoreSlim _free = new(count);
    private readonly ConcurrentStack<(MySqlConnection Connection, long Since)> _idle = new();
    private readonly SqlCallsUnderWay _underWay = new(time);
    private volatile bool _closed;

    /// <summary>Waits for a place.</summary>
    public Task EnterAsync(CancellationToken cancellationToken) => _free.WaitAsync(cancellationToken);

    public void Leave() => _free.Release();

    /// <summary>A connection for whoever has a place; a new one has to be prepared.</summary>
    public async Task<(MySqlConnection Connection, bool IsNew)> RentAsync()
    {
        while (_idle.TryPop(out var idle))
        {
            if (time.GetElapsedTime(idle.Since) < LongestIdle)
            {
                return (idle.Connection, false);
            }

            await idle.Connection.DisposeAsync();
        }

        var connection = new MySqlConnection(connectionString);
        try
        {
            await connection.OpenAsync(CancellationToken.None);
            return (connection, true);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <exception cref="TokenStoreUnavailableException">It leads to another server than the others, or to a replica.</exception>
    public async Task PrepareAsync(MySqlConnection connection)
    {
        await server.CheckAsync(connection);
        await using var command = new MySqlCommand(Settings, connection);
        await command.ExecuteNonQueryAsync(CancellationToken.None);
    }

    /// <summary>A call begins on a connection. When it is given up, the connection is ended, at the server too.</summary>
    public SqlCallUnderWay Begin(MySqlConnection connection) => _underWay.Begin(() => End(connection));

    /// <summary>Back for the next; only when its call has ended well.</summary>
    public async ValueTask ReturnAsync(MySqlConnection connection)
    {
        if (_closed)
        {
            await connection.DisposeAsync();
            return;
        }

        _idle.Push((connection, time.GetTimestamp()));
        if (_closed)
        {
            await CloseIdleAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _closed = true;
        _underWay.GiveUpAll();
        await CloseIdleAsync();
    }

    private async ValueTask CloseIdleAsync()
    {
        while (_idle.TryPop(out var idle))
        {
            await idle.Connection.DisposeAsync();
        }
    }

    // A server does not notice that a connection is closed while it waits, for a replica say.
    private void End(MySqlConnection connection)
    {
        try
        {
            using var other = new MySqlConnection(connectionString);
            other.Open();
            if (server.IsSame(other))
            {
                using var kill = new MySqlCommand($"KILL {connection.ServerThread}", other);
                kill.ExecuteNonQuery();
            }
        }
        catch (MySqlException)
        {
            // It cannot be reached, or has ended that connection itself.
        }

        // May wait for what does not come.
        connection.Dispose();
    }
}
