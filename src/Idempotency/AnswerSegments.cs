namespace FenceGateway.Idempotency;

/// <summary>
/// The files of the log: one that is written, and older ones that are read until every record in them has expired. Used by one
/// thread at a time, except for <see cref="Bytes"/>.
/// </summary>
internal sealed class AnswerSegments : IDisposable
{
    private readonly LogFolder _folder;
    private readonly int _maxLength;
    private readonly List<AnswerSegment> _older;
    private ISegmentFile _file;
    private long _index;
    private long _sequence;
    private int _length = AnswerSegmentHeader.Size;
    private long _latestExpiry;
    private long _bytes;
    private bool _hasTornTail;

    /// <summary>Begins a new segment behind the older ones.</summary>
    public AnswerSegments(LogFolder folder, IEnumerable<AnswerSegment> older, long index, long sequence, int maxLength)
    {
        (_folder, _older, _index, _sequence, _maxLength) = (folder, [.. older], index, sequence, maxLength);
        _file = Create(index);
        _bytes = _older.Sum(s => (long)s.Length) + _length;
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
        CutOff();
        if (_length >= _maxLength)
        {
            Rotate();
        }

        var frame = batch.Seal(_sequence);
        try
        {
            _file.Write(_length, frame);
        }
        catch
        {
            _hasTornTail = true;
            throw;
        }

        LogFolder.Flush(_file, _folder.Segment(_index));
        var end = new BatchEnd(_index, _length, Failure: null);
        _length += frame.Length;
        _latestExpiry = Math.Max(_latestExpiry, batch.LatestExpiry);
        _sequence++;
        Interlocked.Add(ref _bytes, frame.Length);
        return end;
    }

    /// <summary>Deletes the files in which everything has expired. What cannot be deleted now is deleted the next time.</summary>
    public void Trim(long now)
    {
        if (_length > AnswerSegmentHeader.Size && _latestExpiry <= now)
        {
            CutOff();
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

    public void Dispose() => _file.Dispose();

    private void Rotate()
    {
        var next = Create(_index + 1);
        _older.Add(new AnswerSegment(_index, _length, _latestExpiry));
        _file.Dispose();
        (_file, _index, _length, _latestExpiry) = (next, _index + 1, AnswerSegmentHeader.Size, 0);
        Interlocked.Add(ref _bytes, AnswerSegmentHeader.Size);
    }

    private ISegmentFile Create(long index) => _folder.Publish(
        _folder.Segment(index), file => file.Write(0, new AnswerSegmentHeader(index, _sequence).ToBytes()));

    /// <summary>Takes away what a failed write has left: nothing may stand behind it.</summary>
    private void CutOff()
    {
        if (_hasTornTail)
        {
            _file.Truncate(_length);
            _hasTornTail = false;
        }
    }
}

/// <summary>A file that is not written any more.</summary>
/// <param name="Index">Its number.</param>
/// <param name="Length">Its length.</param>
/// <param name="LatestExpiry">When the last of its records expires.</param>
internal readonly record struct AnswerSegment(long Index, int Length, long LatestExpiry);
