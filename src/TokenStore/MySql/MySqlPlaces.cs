using System.Collections.Concurrent;
using MySqlConnector;

namespace FenceGateway.TokenStore.MySql;

/// <summary>
/// A bounded number of connections to the server, opened when they are needed and kept. Not the driver's pool: that
/// keeps a connection whose preparation has failed as if it were prepared, and one that is in the middle of a
/// transaction.
/// </summary>
internal sealed class MySqlPlaces(
    string connectionString, Func<string>? password, int count, MySqlServerIdentity server,
    TimeProvider time) : IAsyncDisposable
{
    // A lock that was not got is undone for certain; whoever called has gone by then.
    private const string Settings =
        "SET SESSION autocommit = 1, innodb_lock_wait_timeout = 3, sql_mode = 'STRICT_ALL_TABLES', time_zone = "
            + "'+00:00'";

    // A firewall or a NAT may silently have forgotten one that was idle for longer; the driver keeps none alive but on
    // Windows.
    private static readonly TimeSpan LongestIdle = TimeSpan.FromMinutes(1);

    private readonly SemaphoreSlim _free = new(count);
    private readonly ConcurrentStack<(MySqlConnection Connection, long Since)> _idle = new();
    private readonly ConcurrentDictionary<MySqlConnection, int> _inUse = new();
    private volatile bool _closed;

    /// <summary>
    /// Waits for a place and uses its connection. One on which something has failed is closed: it may be in the middle
    /// of a transaction, which the server undoes then.
    /// </summary>
    /// <param name="use">Not called once the token has fired.</param>
    /// <param name="cancellationToken">Ends the wait for a place.</param>
    public async Task<T> UseAsync<T>(Func<MySqlConnection, Task<T>> use, CancellationToken cancellationToken)
    {
        await _free.WaitAsync(cancellationToken);
        try
        {
            ThrowIfClosed();

            // Not given up with the caller: the next one needs a connection as well.
            var connection = await RentAsync();
            _inUse[connection] = connection.ServerThread;
            if (_closed || cancellationToken.IsCancellationRequested)
            {
                await ReturnAsync(connection);
                ThrowIfClosed();
                cancellationToken.ThrowIfCancellationRequested();
            }

            var answer = await UseAsync(connection, use);
            await ReturnAsync(connection);
            return answer;
        }
        finally
        {
            _free.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _closed = true;

        if (_inUse.Values is { Count: > 0 } left)
        {
            // Nobody waits for that: the server may not answer.
            _ = KillAsync([.. left]);
        }

        await CloseIdleAsync();
    }

    private async Task<MySqlConnection> RentAsync()
    {
        while (_idle.TryPop(out var idle))
        {
            if (time.GetElapsedTime(idle.Since) < LongestIdle)
            {
                return idle.Connection;
            }

            await idle.Connection.DisposeAsync();
        }

        var connection = Make();
        try
        {
            await connection.OpenAsync(CancellationToken.None);
            await server.CheckAsync(connection);
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

    private MySqlConnection Make() =>
        new(connectionString) { ProvidePasswordCallback = password is null ? null : _ => password() };

    private async Task<T> UseAsync<T>(MySqlConnection connection, Func<MySqlConnection, Task<T>> use)
    {
        try
        {
            return await use(connection);
        }
        catch (Exception e)
        {
            _ = _inUse.TryRemove(connection, out var thread);
            await connection.DisposeAsync();
            if (e is MySqlException { ErrorCode: MySqlErrorCode.CommandTimeoutExpired })
            {
                await KillAsync(thread);
            }

            throw;
        }
    }

    private void ThrowIfClosed()
    {
        if (_closed)
        {
            throw TokenStoreUnavailableException.NothingTaken("The token store is closed.");
        }
    }

    private async ValueTask ReturnAsync(MySqlConnection connection)
    {
        _inUse.TryRemove(connection, out _);
        _idle.Push((connection, time.GetTimestamp()));
        if (_closed)
        {
            await CloseIdleAsync();
        }
    }

    private async ValueTask CloseIdleAsync()
    {
        while (_idle.TryPop(out var idle))
        {
            await idle.Connection.DisposeAsync();
        }
    }

    /// <summary>
    /// Ends connections at the server, which does not notice that one is closed while it waits, for a replica say. The
    /// driver's own cancellation would block a thread until the server has answered, and leave the connection as it is
    /// when it does not.
    /// </summary>
    private async Task KillAsync(params IReadOnlyList<int> threads)
    {
        try
        {
            await using var other = Make();
            await other.OpenAsync(CancellationToken.None);
            if (await server.IsSameAsync(other))
            {
                foreach (var thread in threads)
                {
                    await KillAsync(other, thread);
                }
            }
        }
        catch (Exception)
        {
            // Whatever the network does: it cannot be reached, and nobody is told.
        }
    }

    private static async Task KillAsync(MySqlConnection other, int thread)
    {
        try
        {
            await using var kill = new MySqlCommand($"KILL {thread}", other);
            await kill.ExecuteNonQueryAsync(CancellationToken.None);
        }
        catch (MySqlException e) when (e.ErrorCode == MySqlErrorCode.NoSuchThread)
        {
            // It has ended by itself.
        }
    }
}
