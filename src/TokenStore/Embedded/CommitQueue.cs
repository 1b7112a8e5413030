namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// What waits for the disk. Producers add records to the open batch; the writer thread takes the whole of it while the
/// next one collects. Also the one place that knows up to where the log is durable and whether the store refuses.
/// </summary>
/// <param name="maxBytes">Bytes that may wait in the open batch.</param>
internal sealed class CommitQueue(int maxBytes) : IDisposable
{
    private readonly Lock _gate = new();
    private CommitBatch _open = new();
    private CommitBatch _spare = new();
    private CommitBatch? _writing;
    private long _lastLsn;
    private long _durableLsn;
    private string? _fault = "The token store is not open.";
    private bool _final;

    /// <summary>Set whenever there is something for the writer to do.</summary>
    public AutoResetEvent Wake { get; } = new(initialState: false);

    /// <summary>Why nothing can be promised now; null while all is well.</summary>
    public string? Fault => Volatile.Read(ref _fault);

    /// <summary>Every record up to here is durable.</summary>
    public long DurableLsn => Volatile.Read(ref _durableLsn);

    public void ThrowIfFaulted()
    {
        if (Fault is { } fault)
        {
            throw new TokenStoreUnavailableException(fault);
        }
    }

    /// <summary>Begins to accept records, after the one that recovery saw last.</summary>
    public void Open(long lastLsn)
    {
        lock (_gate)
        {
            _lastLsn = lastLsn;
            Volatile.Write(ref _durableLsn, lastLsn);
            Volatile.Write(ref _fault, null);
        }
    }

    /// <summary>Adds a record.</summary>
    /// <returns>The LSN given to it.</returns>
    /// <exception cref="TokenStoreUnavailableException">It was not added: a fault, or the backlog is full.</exception>
    public long Append(in LogRecord record)
    {
        lock (_gate)
        {
            ThrowIfFaulted();
            if (_open.Frame.Length + record.Size > maxBytes)
            {
                throw new TokenStoreUnavailableException(
                    $"The token store's backlog is full: {maxBytes} bytes wait for the disk, which does not keep up.");
            }

            var first = _open.Frame.IsEmpty;
            record.AddTo(_open.Frame, _lastLsn + 1);
            _open.LastLsn = ++_lastLsn;
            if (first)
            {
                Wake.Set();
            }

            return _lastLsn;
        }
    }

    /// <summary>Completes with null when the record is durable, or with the reason why that cannot be told.</summary>
    public Task<string?> WhenDurable(long lsn)
    {
        lock (_gate)
        {
            return lsn <= _durableLsn ? Task.FromResult<string?>(null)
                : _fault is not null ? Task.FromResult<string?>(_fault)
                : (_writing is not null && lsn <= _writing.LastLsn ? _writing : _open).Done.Task;
        }
    }

    /// <summary>The next try of what a failed write has left, for tests that wait for it.</summary>
    public Task<string?> NextTry()
    {
        lock (_gate)
        {
            return (_writing ?? _open).Done.Task;
        }
    }

    /// <summary>For the writer: the batch to write now. After a failed write that is the same one, but only when
    /// <paramref name="retry"/>.</summary>
    public CommitBatch? Take(bool retry)
    {
        lock (_gate)
        {
            if (_final)
            {
                return null;
            }

            if (_writing is not null)
            {
                return retry ? _writing : null;
            }

            if (_open.Frame.IsEmpty)
            {
                return null;
            }

            _writing = _open;
            _open = _spare;
            return _writing;
        }
    }

    /// <summary>For the writer: the batch that it took is durable.</summary>
    public void Succeeded(CommitBatch batch)
    {
        lock (_gate)
        {
            Volatile.Write(ref _durableLsn, batch.LastLsn);
            _writing = null;

            // Records that were collected before the failure are tried next, before the fault is lifted.
            if (!_final && _open.Frame.IsEmpty)
            {
                Volatile.Write(ref _fault, null);
            }

            batch.Frame.Clear();
            _spare = batch;
            batch.Complete(failure: null);
        }
    }

    /// <summary>
    /// For the writer: nothing can be promised until a retry succeeds, or, if <paramref name="final"/>, until a
    /// restart. The records stay: their marks are raised in memory and must be in the log before anything is admitted
    /// on them.
    /// </summary>
    public void Failed(string fault, bool final)
    {
        lock (_gate)
        {
            if (_final)
            {
                return;
            }

            _final = final;
            Volatile.Write(ref _fault, fault);
            _writing?.Complete(fault);
            _open.Complete(fault);
        }
    }

    public void Dispose() => Wake.Dispose();
}
