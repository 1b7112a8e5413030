using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>What was found in the folder.</summary>
/// <param name="Writer">A new segment, where the log goes on.</param>
/// <param name="LastLsn">The highest LSN that was given.</param>
/// <param name="Served">What the crash hold had served at a stop in good order; null after any other.</param>
/// <param name="IsNew">Whether the folder was empty.</param>
/// <param name="LogBytes">Bytes of log since the snapshot.</param>
/// <param name="SnapshotBytes">The snapshot's size; 0 without one.</param>
/// <param name="Segments">How many segments there are since the snapshot.</param>
internal sealed record Recovered(
    SegmentWriter Writer, long LastLsn, long? Served, bool IsNew, long LogBytes, long SnapshotBytes, int Segments);

/// <summary>
/// Reads the newest snapshot and the log behind it, and begins a new segment: its existence says durably that the store
/// is in use again, before anything is served.
/// </summary>
internal sealed class Recovery(LogFolder folder, MarkTable table, ILogger logger)
{
    private const long FirstIndex = 1;

    public Recovered Run()
    {
        folder.DeleteTemporary();
        var segments = folder.Segments();
        var snapshots = folder.Snapshots();
        if (segments.Count == 0 && snapshots.Count == 0)
        {
            return Create();
        }

        var snapshot = ReadSnapshot(snapshots);
        var start = snapshot is null ? FirstIndex : snapshots[^1];
        segments.RemoveAll(n => n < start);
        RefuseGaps(segments, start, snapshot is not null);
        var readers = ReadSegments(segments, snapshot);
        folder.DeleteBefore(start);
        return GoOn(readers, segments, snapshot);
    }

    private Recovered Create()
    {
        if (folder.HasTorn())
        {
            throw LogDamagedException.Missing(
                folder.Segment(FirstIndex), "the folder holds a torn tail that a log has left, but no log");
        }

        var writer = SegmentWriter.Begin(folder, Guid.NewGuid(), FirstIndex, sequence: 1);
        return new Recovered(writer, LastLsn: 0, Served: null, IsNew: true, LogBytes: 0, SnapshotBytes: 0, Segments: 1);
    }

    private SnapshotReader? ReadSnapshot(List<long> snapshots)
    {
        if (snapshots.Count == 0)
        {
            return null;
        }

        // An older one may be left from a stop before it was deleted. The newest was whole when it got its name.
        var reader = new SnapshotReader(table, folder.Snapshot(snapshots[^1]), snapshots[^1]);
        reader.Read();
        return reader;
    }

    private void RefuseGaps(List<long> segments, long start, bool hasSnapshot)
    {
        var expected = start;
        foreach (var index in segments)
        {
            if (index != expected)
            {
                break;
            }

            expected++;
        }

        if (expected != start + segments.Count || segments.Count == 0)
        {
            throw LogDamagedException.Missing(
                folder.Segment(expected),
                hasSnapshot
                    ? $"the log goes on after snapshot {start}"
                    : "there is neither this segment nor a snapshot that replaces it");
        }
    }

    /// <summary>The segments that count; an empty one at the end, begun and never used, does not.</summary>
    private List<SegmentReader> ReadSegments(List<long> segments, SnapshotReader? snapshot)
    {
        var readers = new List<SegmentReader>();
        foreach (var index in segments)
        {
            var path = folder.Segment(index);
            var reader = new SegmentReader(table, path, index);
            reader.Read();
            var before = readers.Count > 0 ? readers[^1] : null;
            if (before is { IsSealed: false })
            {
                if (index != segments[^1] || !reader.IsEmpty)
                {
                    throw new LogDamagedException(
                        folder.Segment(index - 1), before.ValidLength,
                        "the segment ends too early: a later one exists");
                }

                // A crash between the beginning of a segment and the seal of the one before.
                break;
            }

            if ((before is not null && before.NextSequence != reader.FirstSequence)
                || reader.StoreId != (snapshot?.StoreId ?? (before ?? reader).StoreId))
            {
                throw new LogDamagedException(path, 0, "the segment does not belong to the log before it");
            }

            readers.Add(reader);
        }

        return readers[^1].IsSealed
            ? throw LogDamagedException.Missing(
                folder.Segment(segments[0] + readers.Count), "the segment before it is sealed")
            : readers;
    }

    private Recovered GoOn(List<SegmentReader> readers, List<long> segments, SnapshotReader? snapshot)
    {
        var last = readers[^1];
        var index = segments[0] + readers.Count - 1;
        if (!last.Torn.IsEmpty)
        {
            EmbeddedLog.TornTail(
                logger, folder.Segment(index), last.ValidLength, last.Torn.Length,
                folder.KeepTorn(index, last.ValidLength, last.Torn));
        }

        var writer = SegmentWriter.Begin(folder, last.StoreId, index + 1, last.NextSequence + 1);
        SealLast(last, index);
        return new Recovered(
            writer,
            Math.Max(snapshot?.LastLsn ?? 0, readers.Max(r => r.LastLsn)),
            last.Closed,
            IsNew: false,
            readers.Sum(r => (long)r.ValidLength),
            snapshot?.Length ?? 0,
            readers.Count + 1);
    }

    /// <summary>
    /// Writes the last segment anew, without a torn tail and with its seal. What was read may be in the page cache
    /// only, when the process before died of a failed flush: it must be on the disk before it is promised again.
    /// </summary>
    private void SealLast(SegmentReader last, long index)
    {
        var seal = new FrameBuffer(capacity: 64);
        new LogRecord { Kind = RecordKind.Sealed }.AddTo(seal, lsn: 0);
        folder.Publish(folder.Segment(index), file =>
        {
            file.Write(0, last.Valid);
            file.Write(last.ValidLength, seal.Seal(last.NextSequence));
        }).Dispose();
    }
}
