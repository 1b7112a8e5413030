namespace FenceGateway.Idempotency;

/// <summary>
/// Makes records durable, on a thread of its own: while it flushes one batch the next one collects, so that a batch
/// grows with the load (group commit). A failed write loses its batch, and whoever waited is told; a failed flush ends
/// it.
/// </summary>
internal sealed class AnswerLog(
    AnswerSegments segments, AnswerCompaction compaction, int maxPendingBytes, TimeProvider clock, ILogger logger)
    : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan TrimPeriod = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AnswerBatch _open = new();
    private AnswerBatch _spare = new();
    private ITimer? _trimTimer;
    private volatile string? _fault;
    private long _faultedAt;
    private volatile bool _final;
    private volatile bool _trim;
    private volatile bool _stop;

    public long Bytes => segments.Bytes;

    /// <summary>
    /// Why nothing new may be begun; null while all is well, and for a try once a second while it is not.
    /// </summary>
    public string? Refusal =>
        _fault is { } fault && (_final || clock.GetElapsedTime(Interlocked.Read(ref _faultedAt)) < Pause)
            ? fault
            : null;

    public void Start()
    {
        _trimTimer = clock.CreateTimer(_ => Trim(), state: null, TrimPeriod, TrimPeriod);
        new Thread(Run) { IsBackground = true, Name = "idempotency log" }.Start();
    }

    /// <summary>
    /// Adds a record to what is written next; the task ends with where it is, or why it is not durable.
    /// </summary>
    /// <exception cref="IdempotencyStoreUnavailableException">It was not added.</exception>
    public Task<BatchEnd> Append(in AnswerRecord record, out int offset)
    {
        lock (_gate)
        {
            if (_final || _stop)
            {
                throw new IdempotencyStoreUnavailableException(_fault ?? "The idempotency store is closed.");
            }

            if (_open.Length + record.Size > maxPendingBytes)
            {
                throw new IdempotencyStoreUnavailableException(
                    $"The idempotency store's backlog is full: {maxPendingBytes} bytes wait for the disk, which does "
                        + "not keep up.");
            }

            var first = _open.Records == 0;
            offset = _open.Add(in record);
            if (first)
            {
                _wake.Set();
            }

            return _open.Done.Task;
        }
    }

    /// <summary>Deletes the files of which nothing is needed any more, soon.</summary>
    public void Trim()
    {
        lock (_gate)
        {
            if (!_stop)
            {
                _trim = true;
                _wake.Set();
            }
        }
    }

    /// <summary>Writes what waits and ends the thread.</summary>
    public async ValueTask DisposeAsync()
    {
        await _trimTimer!.DisposeAsync();
        lock (_gate)
        {
            _stop = true;
            _wake.Set();
        }

        await _stopped.Task;
        _wake.Dispose();
    }

    private void Run()
    {
        try
        {
            while (!_stop)
            {
                _wake.WaitOne();
                CommitAll();
                TrimIfAsked();
            }

            CommitAll();
        }
        catch (Exception e)
        {
            // A bug: whoever waits must be told.
            Fail($"The idempotency store's writer has stopped: {e.Message} Restart the gateway.", final: true);
            IdempotencyStoreLog.WriterDied(logger, e);
            CommitAll();
        }
        finally
        {
            _stopped.SetResult();
        }
    }

    private void CommitAll()
    {
        while (Take() is { } batch)
        {
            BatchEnd? end = null;
            try
            {
                end = _final ? new BatchEnd(0, 0, _fault) : Commit(batch);
            }
            finally
            {
                lock (_gate)
                {
                    _spare = batch;
                    batch.End(
                        end ?? new BatchEnd(0, 0, "The idempotency store's writer has stopped. Restart the gateway."));
                }
            }
        }
    }

    private bool CommitOthers()
    {
        CommitAll();
        return !_final && !_stop;
    }

    private AnswerBatch? Take()
    {
        lock (_gate)
        {
            if (_open.Records == 0)
            {
                return null;
            }

            var batch = _open;
            _open = _spare;
            return batch;
        }
    }

    private BatchEnd Commit(AnswerBatch batch)
    {
        try
        {
            var end = segments.Write(batch);
            if (end.Offset == LogFileHeader.Size)
            {
                _trim = true;
            }

            if (_fault is not null)
            {
                _fault = null;
                IdempotencyStoreLog.WriteRecovered(logger);
            }

            return end;
        }
        catch (FlushFailedException e)
        {
            IdempotencyStoreLog.FlushFailed(logger, e.Message, e);
            return Fail(
                $"The idempotency store refuses until the gateway is restarted: {e.Message} Check the disk, then "
                    + "restart.", final: true);
        }
        catch (Exception e) when (LogFolder.IsIo(e))
        {
            if (_fault is null)
            {
                IdempotencyStoreLog.WriteFailed(logger, e.Message, e);
            }

            return Fail($"The idempotency store cannot write: {e.Message}", final: false);
        }
    }

    private BatchEnd Fail(string fault, bool final)
    {
        Interlocked.Exchange(ref _faultedAt, clock.GetTimestamp());
        _fault = fault;
        _final |= final;
        return new BatchEnd(0, 0, fault);
    }

    private void TrimIfAsked()
    {
        if (!_trim || _final)
        {
            return;
        }

        _trim = false;
        try
        {
            var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
            segments.Trim(now);
            if (compaction.Run(now, CommitOthers))
            {
                _trim = true;
            }
        }
        catch (FlushFailedException e)
        {
            IdempotencyStoreLog.FlushFailed(logger, e.Message, e);
            Fail($"The idempotency store refuses until the gateway is restarted: {e.Message}", final: true);
        }
        catch (Exception e) when (LogFolder.IsIo(e))
        {
            // The next write finds out whether it can go on; files that are not deleted now are deleted later.
        }
    }
}
