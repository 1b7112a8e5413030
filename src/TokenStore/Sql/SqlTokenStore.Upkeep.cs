namespace FenceGateway.TokenStore.Sql;

/// <content>What is done now and then, and what sessions have left is taken away with.</content>
public abstract partial class SqlTokenStore
{
    private const int BeatsBetweenUpkeep = 64;

    private int _beatsUntilUpkeep;
    private Task _upkeep = Task.CompletedTask;

    /// <summary>
    /// Now and then: what the server promises by now, and a batch of what sessions have left that nothing can depend on
    /// any more. No heartbeat waits for it; it ends with the connections at the latest.
    /// </summary>
    private void KeepUpNowAndThen()
    {
        if (Interlocked.Decrement(ref _beatsUntilUpkeep) <= 0 && _upkeep.IsCompleted)
        {
            _beatsUntilUpkeep = BeatsBetweenUpkeep;
            _upkeep = KeepUpAsync();
        }
    }

    private async Task KeepUpAsync()
    {
        try
        {
            var (before, now) = (_info, await OfSessionAsync(
                (connection, givenUp) => ReadInfoAsync(connection, Open().Location, givenUp), CancellationToken.None));
            _info = now;
            if (now.Grade != before.Grade)
            {
                SqlStoreLog.GradeChanged(
                    Logger, now.Location, now.Grade, before.Grade, string.Join(' ', now.GradeReasons));
            }

            if (await ForgetLongEndedAsync(CancellationToken.None))
            {
                _beatsUntilUpkeep = 0;
            }
        }
        catch (TokenStoreUnavailableException e)
        {
            SqlStoreLog.UpkeepFailed(Logger, e.Message);
        }
    }

    /// <summary>A batch; whether there is more. Whoever only reads leaves it alone.</summary>
    private async ValueTask<bool> ForgetLongEndedAsync(CancellationToken cancellationToken)
    {
        var sessions = await OfSessionAsync(
            (connection, givenUp) => Sql.RowsAsync(connection, Sql.LongEnded, static row => row.GetString(0), givenUp),
            cancellationToken);
        foreach (var session in sessions)
        {
            if (await WithdrawSomeAsync(session, cancellationToken))
            {
                return true;
            }

            await OfSessionAsync(
                (connection, givenUp) => Sql.ExecuteAsync(connection, Sql.Forget, givenUp, ("@session", session)),
                cancellationToken);
        }

        return false;
    }

    /// <summary>A batch of a session's registrations; false when it has none.</summary>
    private async ValueTask<bool> WithdrawSomeAsync(string session, CancellationToken cancellationToken)
    {
        var registrations = await RowsAsync(
            Sql.Registrations,
            static row => new Registration(SqlKey.Decode(row.GetFieldValue<byte[]>(0)), row.GetInt64(1)),
            cancellationToken,
            ("@session", session), ("@limit", Registration.MaxBatch));
        if (registrations.Count == 0)
        {
            return false;
        }

        await WithdrawAsync(session, registrations, cancellationToken);
        return true;
    }
}
