namespace FenceGateway.Idempotency;

/// <summary>
/// The files of the log: one that is written, and older ones that are read until every record in them has expired. Used
/// by one thread at a time, except for <see cref="Bytes"/>.
/// </summary>
internal sealed class AnswerSegments : IDisposable
{
    private readonly LogFolder _folder;
    private readonly int _maxLength;
    private readonly List<AnswerSegment> _older;
    private LogTail _tail;
    private long _index;
    private long _sequence;
    private long _latestExpiry;
    private long _bytes;

    /// <summary>Begins a new segment behind the older ones.</summary>
    public AnswerSegments(LogFolder folder, IEnumerable<AnswerSegment> older, long index, long sequence, int maxLength)
    {
        (_folder, _older, _index, _sequence, _maxLength) = (folder, [.. older], index, sequence, maxLength);
        _tail = Create(index);
        _bytes = _older.Sum(s => (long)s.Length) + _tail.Length;
    }

    /// <summary>What all files take.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>How many files are not written any more.</summary>
    public int Older => _older.Count;

    /// <summary>The first of them that is of use; null without one.</summary>
    public AnswerSegment? Oldest => _older.Find(static s => s.LatestExpiry > 0) is { Length: > 0 } file ? file : null;

    /// <summary>Writes a batch as one frame and makes it durable.</summary>
    /// <exception cref="FlushFailedException">Nothing may be written any more.</exception>
    /// <exception cref="IOException">It was not written.</exception>
    public BatchEnd Write(AnswerBatch batch)
    {
        if (_tail.Length >= _maxLength)
        {
            Rotate();
        }

        var end = new BatchEnd(_index, (int)_tail.Length, Failure: null);
        var frame = batch.Seal(_sequence);
        _tail.Append(frame);
        _latestExpiry = Math.Max(_latestExpiry, batch.LatestExpiry);
        _sequence++;
        Interlocked.Add(ref _bytes, frame.Length);
        return end;
    }

    /// <summary>
    /// Deletes the files in which everything has expired. What cannot be deleted now is deleted the next time.
    /// </summary>
    public void Trim(long now)
    {
        if (_tail.Length > LogFileHeader.Size && _latestExpiry <= now)
        {
            Rotate();
        }

        _older.RemoveAll(segment =>
        {
            var expired = segment.LatestExpiry <= now && LogFolder.TryDelete(_folder.Segment(segment.Index));
            if (expired)
            {
                Interlocked.Add(ref _bytes, -segment.Length);
            }

            return expired;
        });
    }

    /// <summary>What counts in the file stands elsewhere by now: it goes, now or the next time.</summary>
    public void Forget(AnswerSegment segment, long now)
    {
        _older[_older.IndexOf(segment)] = segment with { LatestExpiry = 0 };
        Trim(now);
    }

    public void Dispose() => _tail.Dispose();

    private void Rotate()
    {
        _tail.CutOff();
        var next = Create(_index + 1);
        _older.Add(new AnswerSegment(_index, (int)_tail.Length, _latestExpiry));
        _tail.Dispose();
        (_tail, _index, _latestExpiry) = (next, _index + 1, 0);
        Interlocked.Add(ref _bytes, next.Length);
    }

    private LogTail Create(long index)
    {
        var name = _folder.Segment(index);
        var header = new LogFileHeader(AnswerRecord.FileKind, index, _sequence).ToBytes();
        return new LogTail(_folder.Publish(name, file => file.Write(0, header)), name, header.Length);
    }
}

/// <summary>A file that is not written any more.</summary>
/// <param name="Index">Its number.</param>
/// <param name="Length">Its length.</param>
/// <param name="LatestExpiry">When the last of its records expires.</param>
internal readonly record struct AnswerSegment(long Index, int Length, long LatestExpiry);
