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

    // Errors that leave nothing of a step: a broken deadlock, a lock that was not got, a duplicate key, what is missing or denied, a
    // server that is read-only. After any other nobody knows.
    private static readonly HashSet<int> Undone = [1213, 1205, 1062, 1044, 1142, 1143, 1370, 1146, 1305, 1290, 1792, 1836];

    /// <summary>
    /// Runs one statement (or one batch) on a connection. The caller goes on as soon as its token fires, whatever the server does; the
    /// statement ends at the server's own limits, or is given up, and keeps its connection until then.
    /// </summary>
    public static async ValueTask<T> RunAsync<T>(
        MySqlPlaces places, ILogger logger, Func<MySqlConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        await places.EnterAsync(cancellationToken);

        // The driver parses, and may wait, on the thread that calls it.
        return await SqlCallsUnderWay.AwaitAsync(Task.Run(() => RunToItsEndAsync(places, logger, call), CancellationToken.None), cancellationToken);
    }

    private static async Task<T> RunToItsEndAsync<T>(
        MySqlPlaces places, ILogger logger, Func<MySqlConnection, CancellationToken, Task<T>> call)
    {
        var sent = false;
        MySqlConnection? connection = null;
        SqlCallUnderWay? statement = null;
        try
        {
            var (rented, isNew) = await places.RentAsync();
            connection = rented;
            statement = places.Begin(rented);
            if (isNew)
            {
                await places.PrepareAsync(rented).WaitAsync(statement.GivenUp);
            }

            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    sent = true;

                    // The driver's own cancellation would ask the server, and block, before anything else.
                    var answer = await call(rented, CancellationToken.None).WaitAsync(statement.GivenUp);
                    if (statement.TryFinish())
                    {
                        await places.ReturnAsync(rented);
                    }

                    connection = null;
                    return answer;
                }
                catch (MySqlException e) when (e.Number == (int)MySqlErrorCode.LockDeadlock && attempt < Attempts)
                {
                    SqlStoreLog.StepRetried(logger, e.Message);
                }
            }
        }
        catch (OperationCanceledException e) when (statement is { GivenUp.IsCancellationRequested: true })
        {
            // Whoever gave it up ends the connection too.
            connection = null;
            throw new TokenStoreUnavailableException("MySQL: nothing came, and the call was given up.", e) { NotTaken = !sent };
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
            if (connection is not null && statement?.TryFinish() != false)
            {
                await connection.DisposeAsync();
            }

            statement?.Dispose();
            places.Leave();
        }
    }

    private static string Sentence(Exception e) => e is MySqlException { Number: > 0 and var number }
        ? $"{e.Message} ({number})"
        : e.InnerException is { } inner ? $"{e.Message} ({inner.Message})" : e.Message;
}
