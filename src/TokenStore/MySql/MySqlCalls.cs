using FenceGateway.TokenStore.Sql;
using MySqlConnector;

namespace FenceGateway.TokenStore.MySql;

/// <summary>Makes a call and says what its failure means for what it may have done.</summary>
internal static class MySqlCalls
{
    /// <summary>Signalled by the schema's procedures when the session that asks has ended.</summary>
    public const int SessionEnded = 32001;

    private const int Attempts = 4;

    // Errors that leave nothing of a step: a broken deadlock, a lock that was not got, a duplicate key, what is missing
    // or denied, a server that is read-only. After any other nobody knows.
    private static readonly HashSet<int> Undone =
        [1213, 1205, 1062, 1044, 1142, 1143, 1370, 1146, 1305, 1290, 1792, 1836];

    /// <summary>
    /// Runs one statement (or one batch) on a connection. The caller goes on as soon as its token fires, whatever the
    /// server does; the statement ends at the server's own limits, or is given up, and keeps its connection until then.
    /// </summary>
    public static ValueTask<T> RunAsync<T>(
        MySqlPlaces places, ILogger logger, Func<MySqlConnection, CancellationToken, Task<T>> call,
        CancellationToken cancellationToken) =>
        SqlCalls.AwaitAsync(RunToItsEndAsync(places, logger, call, cancellationToken), cancellationToken);

    private static async Task<T> RunToItsEndAsync<T>(
        MySqlPlaces places, ILogger logger, Func<MySqlConnection, CancellationToken, Task<T>> call,
        CancellationToken cancellationToken)
    {
        var sent = false;
        try
        {
            return await places.UseAsync(
                connection =>
                {
                    sent = true;
                    return RetryAsync(connection, logger, call);
                },
                cancellationToken);
        }
        catch (MySqlException e) when (e.Number == SessionEnded)
        {
            throw new TokenStoreUnavailableException(e.Message, e) { NotTaken = true, SessionEnded = true };
        }
        catch (Exception e) when (e is not (OperationCanceledException or TokenStoreUnavailableException))
        {
            throw new TokenStoreUnavailableException($"MySQL: {Sentence(e)}", e)
            {
                NotTaken = !sent || (e is MySqlException { Number: var number } && Undone.Contains(number)),
            };
        }
    }

    private static async Task<T> RetryAsync<T>(
        MySqlConnection connection, ILogger logger, Func<MySqlConnection, CancellationToken, Task<T>> call)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                // No token: the driver's cancellation asks the server on another connection, and blocks until that has
                // answered.
                return await call(connection, CancellationToken.None);
            }
            catch (MySqlException e) when (e.ErrorCode == MySqlErrorCode.LockDeadlock && attempt < Attempts)
            {
                SqlStoreLog.StepRetried(logger, e.Message);
            }
        }
    }

    private static string Sentence(Exception e) =>
        e is MySqlException { Number: > 0 and var number, InnerException: not TokenStoreUnavailableException }
        ? $"{e.Message} ({number})"
        : e.InnerException is { } inner ? $"{e.Message} ({inner.Message})" : e.Message;
}
