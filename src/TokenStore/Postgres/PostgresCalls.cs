using FenceGateway.TokenStore.Sql;
using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>Makes a call and says what its failure means for what it may have done.</summary>
internal static class PostgresCalls
{
    /// <summary>Raised by the schema's functions when the session that asks has ended.</summary>
    public const string SessionEnded = "FG001";

    private const int Attempts = 4;

    // The warning of a commit whose wait for a synchronous standby was broken off comes from here.
    private const string WaitForStandby = "SyncRepWaitForLSN";

    /// <summary>
    /// Runs one statement (or one batch) on a connection of <paramref name="source"/>: it is a transaction of its own.
    /// The caller goes on as soon as its token fires, whatever the server does.
    /// </summary>
    /// <remarks>
    /// The statement is not cancelled by that: the driver does so by asking on a second connection, and blocks a thread
    /// until that is answered. It ends at the server's own limits, or is given up, and keeps its connection until then.
    /// </remarks>
    public static async ValueTask<T> RunAsync<T>(
        NpgsqlDataSource source, PostgresCallsUnderWay underWay, ILogger logger,
        Func<NpgsqlConnection, CancellationToken, Task<T>> call,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return await SqlCalls.AwaitAsync(
            RunToItsEndAsync(source, underWay, logger, call, cancellationToken), cancellationToken);
    }

    private static async Task<T> RunToItsEndAsync<T>(
        NpgsqlDataSource source, PostgresCallsUnderWay underWay, ILogger logger,
        Func<NpgsqlConnection, CancellationToken, Task<T>> call,
        CancellationToken cancellationToken)
    {
        var sent = false;
        PostgresCallUnderWay? statement = null;
        try
        {
            await using var connection = await source.OpenConnectionAsync(cancellationToken);
            string? broken = null;
            connection.Notice += (_, e) => broken = e.Notice.Routine == WaitForStandby ? e.Notice.MessageText : broken;
            statement = underWay.Begin();
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    sent = true;
                    var answer = await call(connection, statement.GivenUp);

                    // The standby does not have it, and the statement succeeds all the same.
                    return broken is null
                        ? answer
                        : throw new TokenStoreUnavailableException(
                            $"PostgreSQL does not vouch for what it did: {broken}");
                }
                catch (PostgresException e) when (IsUndoneByConflict(e) && attempt < Attempts)
                {
                    SqlStoreLog.StepRetried(logger, e.MessageText);
                }
            }
        }
        catch (PostgresException e) when (e.SqlState == SessionEnded)
        {
            throw new TokenStoreUnavailableException(e.MessageText, e) { NotTaken = true, SessionEnded = true };
        }
        catch (OperationCanceledException e) when (statement is { GivenUp.IsCancellationRequested: true })
        {
            throw new TokenStoreUnavailableException("PostgreSQL: nothing came, and the call was given up.", e);
        }
        catch (Exception e) when (e is not (OperationCanceledException or TokenStoreUnavailableException))
        {
            throw new TokenStoreUnavailableException($"PostgreSQL: {Sentence(e)}", e)
            { NotTaken = !sent || IsUndone(e) };
        }
        finally
        {
            statement?.Dispose();
        }
    }

    /// <summary>An ERROR ends a statement before its commit; after FATAL or a lost connection nobody knows.</summary>
    private static bool IsUndone(Exception e) => e is PostgresException { InvariantSeverity: "ERROR" };

    private static bool IsUndoneByConflict(PostgresException e) =>
        IsUndone(e) && e.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected;

    private static string Sentence(Exception e) => e is PostgresException { MessageText: var text, SqlState: var state }
        ? $"{text} ({state})."
        : e.InnerException is { } inner ? $"{e.Message} ({inner.Message})" : e.Message;
}
