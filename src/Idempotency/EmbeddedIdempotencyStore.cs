namespace FenceGateway.Idempotency;

/// <summary>
/// Keys in memory, answers in append-only files of a local folder. For one gateway. A file goes when everything in it
/// has expired, or when what has not was copied to the end of the log, since too much was of no use.
/// </summary>
public sealed class EmbeddedIdempotencyStore : IIdempotencyStore
{
    /// <summary>
    /// Of the bytes that the files may take, how much one may: a small store must not live in a single file.
    /// </summary>
    private const int ShareOfFile = 8;

    private const string WhenDamaged =
        "It refuses to start, because answers that it promised may be missing, and a repeat of such a request would be "
        + "sent a second time. Restore the folder from a backup, or begin with an empty folder once repeats of earlier "
        + "requests are no longer to be expected.";

    private readonly EmbeddedIdempotencyStoreOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly KeyTable<AnswerPlace> _table;
    private readonly LogFolder _folder;
    private FolderLock? _lock;
    private IDisposable? _fileSizeSignal;
    private AnswerSegments? _segments;
    private AnswerLog? _log;
    private volatile string? _notOpen = "The idempotency store is not open.";
    private int _closed;

    /// <summary>Makes a store; nothing is touched before <see cref="OpenAsync"/>.</summary>
    /// <param name="options">Its settings, read once.</param>
    /// <param name="clock">Tells the time.</param>
    /// <param name="logger">Where it reports.</param>
    public EmbeddedIdempotencyStore(
        EmbeddedIdempotencyStoreOptions options, TimeProvider clock, ILogger<EmbeddedIdempotencyStore> logger)
        : this(options, clock, logger, SegmentFile.Create)
    {
    }

    internal EmbeddedIdempotencyStore(
        EmbeddedIdempotencyStoreOptions options, TimeProvider clock, ILogger<EmbeddedIdempotencyStore> logger,
        Func<string, ISegmentFile> create)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_options, _clock, _logger) = (options, clock, logger);
        _table = new KeyTable<AnswerPlace>(options.MaxEntries, static place => place.Length);
        Location = Path.GetFullPath(options.Path);
        _folder = new LogFolder(Location, create);
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <inheritdoc/>
    public long Count => _table.Count;

    /// <inheritdoc/>
    public long Bytes => _log?.Bytes ?? 0;

    private long Now => _clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <inheritdoc/>
    public ValueTask OpenAsync(CancellationToken cancellationToken) =>
        LogFolder.OpenAsync(
            Open, Release,
            e => LogFolder.Explain(e, "idempotency store", Location, WhenDamaged) is { } why
                ? new IdempotencyStoreUnavailableException(why, e)
                : null,
            cancellationToken);

    /// <inheritdoc/>
    /// <remarks>A stored answer is still given while nothing can be written.</remarks>
    public ValueTask<ClaimReply> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken)
    {
        var reply = _table.Claim(in request, Now, Refusal(), out var place);
        return reply.Status != ClaimStatus.Completed ? new(reply) : ReadAsync(request, place, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask StartAsync(IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claim);
        claim.IsStarted = true;
        var end = await Append(Record(claim, AnswerRecordKind.Started), out _).WaitAsync(cancellationToken);
        if (end.Failure is { } failure)
        {
            throw new IdempotencyStoreUnavailableException(failure);
        }
    }

    /// <inheritdoc/>
    public async ValueTask CompleteAsync(
        IdempotencyClaim claim, StoredAnswer answer, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claim);
        var expiry = KeyTable.Expiry(claim, Now);
        claim.IsEnding = true;
        try
        {
            // Not cancelled: whether it is durable must be known before the claim ends.
            var size = AnswerRecord.HeaderSize + AnswerRecord.SizeOf(answer);
            var end = await Append(Record(claim, AnswerRecordKind.Completed, expiry, answer: answer), out var offset);
            if (end.Failure is { } failure)
            {
                throw new IdempotencyStoreUnavailableException(failure);
            }

            _table.Complete(claim, new AnswerPlace(end.Segment, end.Offset + offset, size), expiry);
        }
        catch
        {
            // The log says that it was started: unknown, now and after a restart.
            _table.Abandon(claim, UnknownReason.Unreadable, expiry);
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask AbandonAsync(IdempotencyClaim claim, UnknownReason reason, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claim);
        var expiry = KeyTable.Expiry(claim, Now);
        _table.Abandon(claim, reason, expiry);
        TryAppend(Record(claim, AnswerRecordKind.Abandoned, claim.Before is null ? expiry : claim.ExpiresAt, reason));
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask ReleaseAsync(IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claim);
        if (claim.IsStarted)
        {
            claim.IsEnding = true;

            // Before the key is free, so that this record stands before those of the next claim.
            TryAppend(claim.Before is { } reason
                ? Record(claim, AnswerRecordKind.Abandoned, claim.ExpiresAt, reason)
                : Record(claim, AnswerRecordKind.Released));
        }

        _table.Release(claim);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
        {
            return;
        }

        _notOpen = "The idempotency store is closed.";
        if (_log is not null)
        {
            await _log.DisposeAsync();
        }

        Release();
    }

    private static AnswerRecord Record(
        IdempotencyClaim claim, AnswerRecordKind kind, long? expiresAt = null, UnknownReason reason = default,
        StoredAnswer? answer = null) =>
        new()
        {
            Kind = kind,
            Reason = reason,
            Key = claim.Key,
            Fingerprint = claim.Fingerprint,
            ExpiresAt = expiresAt ?? claim.ExpiresAt,
            Answer = answer,
        };

    private void Open()
    {
        var start = _clock.GetTimestamp();
        Directory.CreateDirectory(Location);
        _lock = FolderLock.Take(Location, "idempotency store", "Idempotency:Path");
        _fileSizeSignal = PosixFile.CatchFileSizeSignal();
        var recovery = new AnswerRecovery(_folder, _table, Now);
        _segments = recovery.Run((int)Math.Min(_options.SegmentSize, _options.MaxBytes / ShareOfFile));
        if (recovery.Torn > 0)
        {
            IdempotencyStoreLog.TornTail(_logger, Location, recovery.Torn);
        }

        var unknown = _table.FinishRecovery();
        var compaction = new AnswerCompaction(_folder, _segments, _table, _options.MaxBytes);
        _log = new AnswerLog(_segments, compaction, _options.MaxPendingBytes, _clock, _logger);
        _log.Start();
        _log.Trim();
        _notOpen = null;
        IdempotencyStoreLog.Opened(
            _logger, Location, _table.Count, unknown, _clock.GetElapsedTime(start).TotalMilliseconds);
    }

    /// <summary>Why no new key is taken; null when one is.</summary>
    private string? Refusal()
    {
        if ((_notOpen ?? _log!.Refusal) is { } fault)
        {
            return fault;
        }

        if (_log!.Bytes < _options.MaxBytes)
        {
            return null;
        }

        _log.Trim();
        return $"Answers take {_options.MaxBytes} bytes, which is the limit, and too few of them have expired.";
    }

    private Task<BatchEnd> Append(in AnswerRecord record, out int offset) =>
        (_log ?? throw new IdempotencyStoreUnavailableException(_notOpen!)).Append(in record, out offset);

    private void TryAppend(in AnswerRecord record)
    {
        try
        {
            _ = Append(in record, out _);
        }
        catch (IdempotencyStoreUnavailableException)
        {
            // Without the record the key is unknown after a restart, which is always safe.
        }
    }

    private async ValueTask<ClaimReply> ReadAsync(
        ClaimRequest request, AnswerPlace place, CancellationToken cancellationToken)
    {
        var path = _folder.Segment(place.Segment);
        Exception? exception = null;
        try
        {
            using var file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[place.Length];
            var read = await RandomAccess.ReadAsync(file, bytes, place.Offset, cancellationToken);
            if (read == bytes.Length && AnswerRecord.ReadAnswer(bytes, request.Key) is { } answer)
            {
                return new ClaimReply(ClaimStatus.Completed) { Answer = answer };
            }
        }
        catch (Exception e) when (LogFolder.IsIo(e))
        {
            exception = e;
        }

        var again = _table.Claim(in request, Now, Refusal(), out var moved);
        if (again.Status != ClaimStatus.Completed || moved != place)
        {
            // It has expired since, or stands elsewhere.
            return again.Status != ClaimStatus.Completed ? again : await ReadAsync(request, moved, cancellationToken);
        }

        IdempotencyStoreLog.AnswerUnreadable(
            _logger, path, exception?.Message ?? "what is there is not the answer", exception);
        return new ClaimReply(ClaimStatus.Unknown) { Reason = UnknownReason.Unreadable };
    }

    private void Release()
    {
        _segments?.Dispose();
        _lock?.Dispose();
        _fileSizeSignal?.Dispose();
    }
}
