using System.Diagnostics.Metrics;
using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// Marks in memory, made durable by a log in a local folder before anything is admitted on them
/// (docs/embedded-store.md). For one gateway: this process is the only session there is.
/// </summary>
/// <remarks>A token equal to a durable mark is answered synchronously, without I/O and without an allocation.</remarks>
public sealed class EmbeddedTokenStore : ITokenStore
{
    private const string WhenDamaged =
        "It refuses to start, because marks that it promised may be missing. Restore the folder from a backup; if "
        + "there is none, keep a copy of the folder, stop all lock holders, begin with an empty folder and set the "
        + "marks from your lock service.";

    private readonly EmbeddedTokenStoreOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Func<string, ISegmentFile> _create;
    private readonly EmbeddedMetrics _metrics;
    private readonly MarkTable _table;
    private readonly CommitQueue _queue;
    private readonly CrashHold _hold;
    private readonly MarkChanges _changes;
    private FolderLock? _lock;
    private IDisposable? _fileSizeSignal;
    private SegmentWriter? _segment;
    private Snapshotter? _snapshotter;
    private CommitWriter? _writer;
    private string? _session;
    private int _opened;
    private int _closed;

    /// <summary>Makes a store; nothing is touched before <see cref="OpenAsync"/>.</summary>
    /// <param name="options">Its settings, read once.</param>
    /// <param name="clock">Measures holds and retries, and dates changes.</param>
    /// <param name="logger">Where it reports.</param>
    /// <param name="meters">Makes its meter, <c>FenceGateway</c>.</param>
    public EmbeddedTokenStore(
        EmbeddedTokenStoreOptions options, TimeProvider clock, ILogger<EmbeddedTokenStore> logger, IMeterFactory meters)
        : this(options, clock, logger, meters, SegmentFile.Create)
    {
    }

    internal EmbeddedTokenStore(
        EmbeddedTokenStoreOptions options, TimeProvider clock, ILogger<EmbeddedTokenStore> logger, IMeterFactory meters,
        Func<string, ISegmentFile> create)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _clock = clock;
        _logger = logger;
        _create = create;
        _table = new MarkTable(options.MaxResources);
        _queue = new CommitQueue(options.MaxPendingBytes);
        _hold = new CrashHold(clock);
        _changes = new MarkChanges(_table, _queue, _hold, clock);
        _metrics = new EmbeddedMetrics(meters, () => _table.Count, () => _snapshotter?.LogSize ?? 0);
        Info = new TokenStoreInfo("Embedded", SafetyGrade.Strict, Path.GetFullPath(options.Path));
    }

    /// <inheritdoc/>
    public TokenStoreInfo Info { get; }

    /// <inheritdoc/>
    public string? Fault => _queue.Fault;

    /// <inheritdoc/>
    /// <remarks>Never called: there is nobody else who could change anything.</remarks>
    public event Action<ResourceChange>? Changed
    {
        add { }
        remove { }
    }

    internal long Count => _table.Count;

    internal CommitQueue Queue => _queue;

    internal Snapshotter Snapshots => _snapshotter ?? throw new InvalidOperationException("The store is not open.");

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">It was called before. A store is opened once.</exception>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _opened, 1) != 0)
        {
            throw new InvalidOperationException("A token store is opened once.");
        }

        await LogFolder.OpenAsync(
            Open, Release,
            e => LogFolder.Explain(e, "token store", Info.Location, WhenDamaged) is { } why
                ? new TokenStoreUnavailableException(why, e)
                : null,
            cancellationToken);
    }

    /// <inheritdoc/>
    /// <remarks>The folder's lock keeps other processes out: the session lives as long as this one.</remarks>
    public ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        _queue.ThrowIfFaulted();
        return Interlocked.CompareExchange(ref _session, session, null) is null
            ? ValueTask.FromResult(Timeout.InfiniteTimeSpan)
            : throw new InvalidOperationException("The embedded store serves one session.");
    }

    /// <inheritdoc/>
    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) =>
        ValueTask.FromResult(session == _session && _closed == 0 ? new Heartbeat(true, []) : Heartbeat.Ended);

    /// <inheritdoc/>
    /// <remarks>Closes the store: the next start need not wait for anything after a clean end, and takes any other one
    /// for a crash.</remarks>
    public async ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken)
    {
        if (session != _session)
        {
            return;
        }

        var clean = isClean && Fault is null;
        if (await StopAsync(flush: true, () => clean ? _hold.ToMilliseconds() : null) is { } closedInGoodOrder)
        {
            EmbeddedLog.Closed(_logger, Info.Location, closedInGoodOrder);
        }
    }

    /// <inheritdoc/>
    public long PeekMark(ResourceKey resource) => _changes.PeekMark(resource.Value);

    /// <inheritdoc/>
    /// <remarks>While the store refuses, a stale token whose higher mark is durable is still answered.</remarks>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(in request);
        if (request.Session != _session && Fault is null)
        {
            return ValueTask.FromException<EnterReply>(TokenStoreUnavailableException.ForEndedSession(request.Session));
        }

        try
        {
            var reply = _changes.Enter(in request, out var lsn);
            return lsn <= _queue.DurableLsn
                ? ValueTask.FromResult(reply)
                : AwaitAsync(reply, lsn, cancellationToken);
        }
        catch (TokenStoreUnavailableException e)
        {
            // Refused before anything was put down.
            return ValueTask.FromException<EnterReply>(TokenStoreUnavailableException.NothingTaken(e.Message, e));
        }
    }

    /// <inheritdoc/>
    /// <remarks>What is in flight is known to the one gateway that there is, and to nobody else.</remarks>
    public ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations,
        CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => ValueTask.FromResult<long>(_table.Count);

    /// <inheritdoc/>
    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var found = _changes.Find(resource);
        return found is null || found.Value.Sequence <= _queue.DurableLsn
            ? ValueTask.FromResult(found)
            : AwaitAsync(found, found.Value.Sequence, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        // While the log cannot be written, what it has is still listed.
        var upTo = Fault is null ? long.MaxValue : _queue.DurableLsn;
        var page = MarkListing.List(_table, _hold, in query, upTo, cancellationToken);
        var last = page.Count == 0 ? 0 : page[0].Sequence;
        return last <= _queue.DurableLsn ? ValueTask.FromResult(page) : AwaitAsync(page, last, cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The mark is negative, or a text too long.</exception>
    public async ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);
        if (_changes.SetMark(request, out var oldMark) is not { } lsn)
        {
            return false;
        }

        await AwaitAsync(oldMark, lsn, cancellationToken);
        EmbeddedLog.MarkSet(_logger, request.Resource.Value, oldMark, request.Mark, request.Actor, request.Reason);
        return true;
    }

    /// <inheritdoc/>
    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_changes.Resolve(resource) ? 1 : 0);

    /// <summary>
    /// Lets go of the folder. Without <see cref="EndSessionAsync"/> before, the next start takes this stop for a crash.
    /// </summary>
    public async ValueTask DisposeAsync() => await StopAsync(flush: false, () => null);

    private void Open()
    {
        var start = _clock.GetTimestamp();
        var folder = new LogFolder(Directory.CreateDirectory(Info.Location).FullName, _create);
        _lock = FolderLock.Take(folder.FullPath, "token store", "TokenStore:Embedded:Path");

        _fileSizeSignal = PosixFile.CatchFileSizeSignal();

        // The lock says that whoever had the folder before is gone.
        _hold.Start();
        var recovered = new Recovery(folder, _table, _logger).Run();
        _hold.Resume(recovered.IsNew ? CrashHold.NothingHeld : recovered.Served ?? 0);
        if (recovered.IsNew)
        {
            EmbeddedLog.Created(_logger, Info.Location);
        }
        else if (recovered.Served is null)
        {
            EmbeddedLog.Unclean(_logger, Info.Location);
        }

        if (_table.Count > _options.MaxResources)
        {
            EmbeddedLog.OverFull(_logger, _table.Count, _options.MaxResources);
        }

        _segment = recovered.Writer;
        _snapshotter = new Snapshotter(folder, _table, _segment.StoreId, _options, _metrics, _clock, _logger);
        _snapshotter.Begin(recovered.LogBytes, recovered.SnapshotBytes, recovered.Segments);
        _queue.Open(recovered.LastLsn);
        _writer = new CommitWriter(_queue, _segment, _snapshotter, _options, _metrics, _clock, _logger);
        _writer.Start();
        EmbeddedLog.Opened(_logger, Info.Location, _table.Count, _clock.GetElapsedTime(start).TotalMilliseconds);
    }

    private async ValueTask<T> AwaitAsync<T>(T answer, long lsn, CancellationToken cancellationToken) =>
        await _queue.WhenDurable(lsn).WaitAsync(cancellationToken) is { } failure
            ? throw new TokenStoreUnavailableException(failure)
            : answer;

    /// <summary>Null when it was not open.</summary>
    private async Task<bool?> StopAsync(bool flush, Func<long?> last)
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0 || _writer is null || _snapshotter is null)
        {
            return null;
        }

        var closedInGoodOrder = await _writer.StopAsync(flush, last);
        await _snapshotter.DisposeAsync();
        Release();
        return closedInGoodOrder;
    }

    private void Release()
    {
        _segment?.Dispose();
        _lock?.Dispose();
        _fileSizeSignal?.Dispose();
        _queue.Dispose();
    }
}
