using FenceGateway.TokenStore.Sql;

namespace FenceGateway.TokenStore.MySql;

/// <summary>
/// Reads the table of changes forty times a second: this database cannot notify. What is missed while the server is
/// away is told by the heartbeat, and whoever waits asks again.
/// </summary>
internal sealed class MySqlPoll(
    MySqlConnections connections, MySqlStatements sql, Action<ResourceChange> told, TimeProvider time,
    ILogger logger) : ISqlListener
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan LongestFarewell = TimeSpan.FromSeconds(1);

    // Numbers are given before they are committed: a lower one can appear after a higher one, of as many steps as run
    // at once.
    private const int Overlap = 256;

    // What is older is in nobody's overlap; removed in batches.
    private const int Kept = 4096;

    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<long> _seen = [];
    private long _last;
    private long _removedBefore;
    private Task _polling = Task.CompletedTask;

    public async Task StartAsync(string epoch, CancellationToken cancellationToken)
    {
        _last = Convert.ToInt64(
            await connections.OfSessionAsync(
                (connection, givenUp) => sql.ScalarAsync(connection, sql.LastChange, givenUp),
                cancellationToken), null);
        _removedBefore = _last;
        for (var id = Math.Max(1, _last - Overlap); id <= _last; id++)
        {
            _seen.Add(id);
        }

        _polling = Task.Run(PollAsync, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();

        // A server that does not answer does not hold the gateway's end up.
        await _polling.WaitAsync(LongestFarewell, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task PollAsync()
    {
        var stop = _stop.Token;
        var lost = false;
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(Interval, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                var changes = await ReadAsync(stop);
                if (lost)
                {
                    SqlStoreLog.ListenerBack(logger, connections.Location);
                    lost = false;
                }

                changes.ForEach(told);
                await ForgetAsync(stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (TokenStoreUnavailableException e)
            {
                if (!lost)
                {
                    SqlStoreLog.ListenerLost(logger, connections.Location, e.Message);
                    lost = true;
                }
            }
        }
    }

    private async Task<List<ResourceChange>> ReadAsync(CancellationToken cancellationToken)
    {
        var rows = await connections.OfSessionAsync(
            (connection, givenUp) => sql.RowsAsync(
                connection, sql.Changes,
                static row =>
                    (Id: row.GetInt64(0), Resource: row.GetFieldValue<byte[]>(1), Mark: row.GetInt64(2),
                        Risen: row.GetBoolean(3)),
                givenUp,
                ("@after", _last - Overlap)),
            cancellationToken);
        List<ResourceChange> changes = [];
        foreach (var (id, resource, mark, risen) in rows)
        {
            if (_seen.Add(id) && SqlKey.TryDecode(resource, out var key))
            {
                changes.Add(new ResourceChange(key, mark, risen));
            }

            _last = Math.Max(_last, id);
        }

        if (_seen.Count > 4 * Overlap)
        {
            _seen.RemoveWhere(id => id <= _last - Overlap);
        }

        return changes;
    }

    private async Task ForgetAsync(CancellationToken cancellationToken)
    {
        if (_last - Kept - _removedBefore < Overlap)
        {
            return;
        }

        // Whether it works or not: the next batch tries again.
        var before = _removedBefore = _last - Kept;
        try
        {
            await connections.OfSessionAsync(
                (connection, givenUp) => sql.ExecuteAsync(connection, sql.ForgetChanges, givenUp, ("@before", before)),
                cancellationToken);
        }
        catch (TokenStoreUnavailableException e)
        {
            SqlStoreLog.UpkeepFailed(logger, e.Message);
        }
    }
}
