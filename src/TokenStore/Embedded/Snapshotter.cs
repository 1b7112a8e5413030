using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// Decides when a snapshot is due, writes it in the background and then deletes what it replaces. One at a time; after
/// a failure the log goes on growing until one succeeds.
/// </summary>
internal sealed class Snapshotter(
    LogFolder folder, MarkTable table, Guid storeId, EmbeddedTokenStoreOptions options,
    EmbeddedMetrics metrics, TimeProvider clock, ILogger logger) : IAsyncDisposable
{
    /// <summary>Many short runs leave many short segments: a snapshot puts an end to them as well.</summary>
    private const int MaxSegments = 256;

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;
    private long _base;
    private long _written;
    private long _snapshotSize;
    private int _segments;
    private long _notBefore = long.MinValue;

    /// <summary>Bytes of log since the last snapshot.</summary>
    public long LogSize => Volatile.Read(ref _written) - Volatile.Read(ref _base);

    /// <summary>The snapshot that is being written, for tests.</summary>
    public Task Running => Volatile.Read(ref _running);

    /// <summary>What recovery found.</summary>
    public void Begin(long logBytes, long snapshotBytes, int segments)
    {
        _base = -logBytes;
        _snapshotSize = snapshotBytes;
        _segments = segments;
    }

    public void LogGrew(long written) => Volatile.Write(ref _written, written);

    public void Rotated() => Interlocked.Increment(ref _segments);

    public bool IsDue() =>
        (LogSize > Math.Max(options.SnapshotThreshold, Volatile.Read(ref _snapshotSize))
            || Volatile.Read(ref _segments) > MaxSegments)
        && Running.IsCompleted
        && clock.GetTimestamp() >= Volatile.Read(ref _notBefore)
        && !_stopping.IsCancellationRequested;

    public void Postpone() =>
        Volatile.Write(
            ref _notBefore, clock.GetTimestamp() + (long)(RetryAfter.TotalSeconds * clock.TimestampFrequency));

    /// <summary>Writes a snapshot of everything before segment <paramref name="index"/>.</summary>
    /// <param name="index">The segment where the log goes on.</param>
    /// <param name="written">Bytes of log written before it.</param>
    public void Start(long index, long written) => Volatile.Write(ref _running, Task.Run(() => Write(index, written)));

    /// <summary>Gives a snapshot that is being written up.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Running;
        _stopping.Dispose();
    }

    private void Write(long index, long written)
    {
        var start = clock.GetTimestamp();
        try
        {
            var size = SnapshotWriter.Write(folder, table, new LogFileHeader(
                MarkFile.Snapshot, index, FirstSequence: 0, storeId),
                options.SnapshotBlock, _stopping.Token);
            folder.DeleteBefore(index);
            Volatile.Write(ref _base, written);
            Volatile.Write(ref _snapshotSize, size);
            Volatile.Write(ref _segments, 1);
            var elapsed = clock.GetElapsedTime(start);
            metrics.Snapshot(elapsed);
            EmbeddedLog.SnapshotWritten(logger, table.Count, size, elapsed.TotalMilliseconds);
        }
        catch (OperationCanceledException)
        {
            // The store closes; the log has everything.
        }
        catch (Exception e)
        {
            // Nothing is lost: the log it would have replaced is still there. A failed flush here is of a file that is
            // thrown away.
            Postpone();
            EmbeddedLog.SnapshotFailed(logger, e.Message, e);
        }
    }
}
