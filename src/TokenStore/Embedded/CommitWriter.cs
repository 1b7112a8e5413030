using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// The one thread that writes the log: takes what has collected, writes it as one frame, flushes, tells who waits.
/// While it flushes, the next batch collects, so the batch grows with the load (group commit).
/// </summary>
internal sealed class CommitWriter
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly CommitQueue _queue;
    private readonly SegmentWriter _segment;
    private readonly Snapshotter _snapshotter;
    private readonly EmbeddedTokenStoreOptions _options;
    private readonly EmbeddedMetrics _metrics;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly ITimer _retryTimer;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _retry;
    private volatile Stop? _stop;
    private bool _closedInGoodOrder;

    public CommitWriter(
        CommitQueue queue, SegmentWriter segment, Snapshotter snapshotter,
        EmbeddedTokenStoreOptions options, EmbeddedMetrics metrics, TimeProvider clock, ILogger logger)
    {
        _queue = queue;
        _segment = segment;
        _snapshotter = snapshotter;
        _options = options;
        _metrics = metrics;
        _clock = clock;
        _logger = logger;
        _retryTimer = clock.CreateTimer(_ => Retry(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Start() => new Thread(Run) { IsBackground = true, Name = "token store log" }.Start();

    /// <param name="flush">Whether what waits is written first.</param>
    /// <param name="last">The log's last record, made once nothing waits; not written after a failure.</param>
    /// <summary>Ends the thread. Whether the log ends with the record of a stop in good order, durably.</summary>
    public async Task<bool> StopAsync(bool flush, Func<long?> last)
    {
        _stop = new Stop(flush, last);
        _queue.Wake.Set();
        await _stopped.Task;
        await _retryTimer.DisposeAsync();
        return _closedInGoodOrder;
    }

    private void Run()
    {
        try
        {
            SnapshotIfDue();
            while (_stop is null)
            {
                _queue.Wake.WaitOne();
                if (_stop is null || _stop.Flush)
                {
                    CommitAll(retry: _retry || _stop is not null);
                }
            }

            Finish(_stop);
        }
        catch (Exception e)
        {
            // A bug: the thread must not die and leave the store pretending.
            _queue.Failed($"The token store's writer has stopped: {e.Message} Restart the gateway.", final: true);
            EmbeddedLog.WriterDied(_logger, e);
        }
        finally
        {
            _stopped.SetResult();
        }
    }

    private void CommitAll(bool retry)
    {
        while (_queue.Take(retry) is { } batch)
        {
            _retry = false;
            if (!TryCommit(batch))
            {
                return;
            }

            SnapshotIfDue();
        }
    }

    private bool TryCommit(CommitBatch batch)
    {
        var start = _clock.GetTimestamp();
        try
        {
            if (_segment.Length >= _options.SegmentSize)
            {
                _segment.Rotate();
                _snapshotter.Rotated();
            }

            _segment.Append(batch.Frame);
        }
        catch (FlushFailedException e)
        {
            FailForGood(e);
            return false;
        }
        catch (Exception e) when (LogFolder.IsIo(e))
        {
            FailForNow(e);
            return false;
        }

        var wasFaulted = _queue.Fault is not null;
        _metrics.Committed(_clock.GetElapsedTime(start), batch.Frame.Records);
        _snapshotter.LogGrew(_segment.Written);
        _queue.Succeeded(batch);
        if (wasFaulted && _queue.Fault is null)
        {
            EmbeddedLog.WriteRecovered(_logger);
        }

        return true;
    }

    private void SnapshotIfDue()
    {
        if (!_snapshotter.IsDue())
        {
            return;
        }

        try
        {
            _segment.Rotate();
            _snapshotter.Start(_segment.Index, _segment.Written);
        }
        catch (FlushFailedException e)
        {
            FailForGood(e);
        }
        catch (Exception e) when (LogFolder.IsIo(e))
        {
            // The log itself is as it was; the next commit finds out whether it can go on.
            _snapshotter.Postpone();
            EmbeddedLog.SnapshotFailed(_logger, e.Message, e);
        }
    }

    private void FailForNow(Exception e)
    {
        var first = _queue.Fault is null;
        _metrics.Failed();

        // Before anybody hears of the failure, so that whoever does can rely on the retry.
        _retryTimer.Change(RetryAfter, Timeout.InfiniteTimeSpan);
        _queue.Failed(
            $"The token store cannot write its log: {e.Message} It tries again every second; free space or repair the "
                + "disk.", final: false);
        if (first)
        {
            EmbeddedLog.WriteFailed(_logger, e.Message, e);
        }
    }

    private void FailForGood(Exception e)
    {
        _metrics.Failed();
        _queue.Failed(
            $"The token store refuses until the gateway is restarted: {e.Message} What the disk holds can only be told "
            + "by reading it again: check the disk, then restart.", final: true);
        EmbeddedLog.FlushFailed(_logger, e.Message, e);
    }

    private void Finish(Stop stop)
    {
        // Refuse first: nothing may be admitted behind a record that says that nothing is in flight.
        var healthy = _queue.Fault is null;
        _queue.Failed("The token store is closed.", final: true);
        if (stop.Flush && healthy && stop.Last() is { } served)
        {
            try
            {
                _segment.Append(new LogRecord { Kind = RecordKind.Closed, Mark = served });
                _closedInGoodOrder = true;
            }
            catch (Exception e) when (LogFolder.IsIo(e))
            {
                EmbeddedLog.WriteFailed(_logger, e.Message, e);
            }
        }
    }

    private void Retry()
    {
        _retry = true;
        _queue.Wake.Set();
    }

    private sealed record Stop(bool Flush, Func<long?> Last);
}
