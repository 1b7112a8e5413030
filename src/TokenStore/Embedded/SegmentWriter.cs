using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>The end of the log. Used by one thread at a time.</summary>
internal sealed class SegmentWriter : IDisposable
{
    private readonly LogFolder _folder;
    private readonly Guid _storeId;
    private readonly FrameBuffer _single = new(capacity: 64);
    private LogTail _tail;

    private SegmentWriter(LogFolder folder, Guid storeId, long index, long sequence)
    {
        _folder = folder;
        _storeId = storeId;
        Index = index;
        Sequence = sequence;
        _tail = Create(index, sequence);
    }

    public Guid StoreId => _storeId;

    /// <summary>The number of the segment that is written now.</summary>
    public long Index { get; private set; }

    /// <summary>The sequence of the next frame.</summary>
    public long Sequence { get; private set; }

    /// <summary>Durable bytes of the segment that is written now.</summary>
    public long Length => _tail.Length;

    /// <summary>Bytes written since the process started.</summary>
    public long Written { get; private set; }

    /// <summary>Begins a new segment.</summary>
    public static SegmentWriter Begin(LogFolder folder, Guid storeId, long index, long sequence) =>
        new(folder, storeId, index, sequence);

    /// <summary>Appends one frame and makes it durable.</summary>
    /// <exception cref="FlushFailedException">Nothing may be written any more.</exception>
    /// <exception cref="IOException">It was not written; may be tried again.</exception>
    public void Append(FrameBuffer frame)
    {
        var bytes = frame.Seal(Sequence);
        _tail.Append(bytes);
        Written += bytes.Length;
        Sequence++;
    }

    /// <summary>Appends one record of the log itself.</summary>
    public void Append(in LogRecord record)
    {
        _single.Clear();
        record.AddTo(_single, lsn: 0);
        Append(_single);
    }

    /// <summary>
    /// Goes on in a new segment. The new one exists before the old one is sealed, so that a sealed segment without a
    /// successor is damage; a crash in between leaves an empty segment behind, which recovery takes away.
    /// </summary>
    public void Rotate()
    {
        var next = Create(Index + 1, Sequence + 1);
        try
        {
            Append(new LogRecord { Kind = RecordKind.Sealed });
        }
        catch
        {
            // The file stays: the seal may have reached the disk all the same, and would then miss its successor.
            next.Dispose();
            throw;
        }

        _tail.Dispose();
        _tail = next;
        Index++;
    }

    public void Dispose() => _tail.Dispose();

    private LogTail Create(long index, long firstSequence)
    {
        var name = _folder.Segment(index);
        var header = new LogFileHeader(MarkFile.Segment, index, firstSequence, _storeId).ToBytes();
        return new LogTail(_folder.Publish(name, file => file.Write(0, header)), name, header.Length);
    }
}
