using FenceGateway.TokenStore.Sql;
using Microsoft.Extensions.Logging;
using MySql.Data.MySqlClient;

namespace FenceGateway.TokenStore.MySql;

/// <summary>Makes a call and says what its failure means for what it may have done.</summary>
internal static class MySqlCalls
{
    /// <summary>Signalled by the schema's procedures when the session that asks has ended.</summary>
    public const int SessionEnded = 32001;

    private const int Attempts = 4;

    // Longer than the server's own limits: only a connection that has silently gone (a firewall, a NAT) takes so long.
    private static readonly TimeSpan LongestStatement = TimeSpan.FromSeconds(15);

    // Errors that leave nothing of a step: a broken deadlock, a lock that was not got, a duplicate key, what is missing or denied, a
    // server that is read-only. After any other nobody knows.
    private static readonly HashSet<int> Undone = [1213, 1205, 1062, 1044, 1142, 1143, 1370, 1146, 1305, 1290, 1792, 1836];

    /// <summary>
    /// Runs one statement (or one batch) on a connection. The caller goes on as soon as its token fires, whatever the server does; the
    /// statement ends at the server's own limits, and keeps its connection until then, or until nothing can come on it any more.
    /// </summary>
    public static async ValueTask<T> RunAsync<T>(
        MySqlPlaces places, ILogger logger, Func<MySqlConnection, Task<T>> call, CancellationToken cancellationToken)
    {
        await places.EnterAsync(cancellationToken);

        // The driver parses, and may wait, on the thread that calls it.
        var running = Task.Run(() => RunToItsEndAsync(places, logger, call), CancellationToken.None);
        try
        {
            return await running.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (!running.IsCompleted)
        {
            _ = running.ContinueWith(
                static abandoned => abandoned.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            throw;
        }
    }

    private static async Task<T> RunToItsEndAsync<T>(MySqlPlaces places, ILogger logger, Func<MySqlConnection, Task<T>> call)
    {
        var sent = false;
        MySqlConnection? connection = null;
        try
        {
            var rented = connection = await places.RentAsync();
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    sent = true;
                    var answer = await call(rented).WaitAsync(LongestStatement);
                    connection = null;
                    await places.ReturnAsync(rented);
                    return answer;
                }
                catch (MySqlException e) when (e.Number == (int)MySqlErrorCode.LockDeadlock && attempt < Attempts)
                {
                    SqlStoreLog.StepRetried(logger, e.Message);
                }
            }
        }
        catch (TimeoutException e) when (connection is not null)
        {
            // Closing it waits for what will not come: on a thread of its own, and nobody waits for that.
            _ = Task.Factory.StartNew(
                static gone => ((MySqlConnection)gone!).Dispose(), connection, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            connection = null;
            throw new TokenStoreUnavailableException($"MySQL: nothing came within {LongestStatement}.", e);
        }
        catch (MySqlException e) when (e.Number == SessionEnded)
        {
            throw new TokenStoreUnavailableException(e.Message, e) { NotTaken = true, SessionEnded = true };
        }
        catch (Exception e) when (e is not TokenStoreUnavailableException)
        {
            throw new TokenStoreUnavailableException($"MySQL: {Sentence(e)}", e)
            {
                NotTaken = !sent || (e is MySqlException { Number: var number } && Undone.Contains(number)),
            };
        }
        finally
        {
            // After a failure it may be in the middle of something: the server undoes that when it is closed.
            if (connection is not null)
            {
                await connection.DisposeAsync();
            }

            places.Leave();
        }
    }

    private static string Sentence(Exception e) => e is MySqlException { Number: > 0 and var number }
        ? $"{e.Message} ({number})"
        : e.InnerException is { } inner ? $"{e.Message} ({inner.Message})" : e.Message;
}
