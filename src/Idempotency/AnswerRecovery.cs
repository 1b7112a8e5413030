namespace FenceGateway.Idempotency;

/// <summary>
/// Reads all segments into the table. Only the last one may end in the middle of a write: nobody was told of that one, and it
/// is cut off.
/// </summary>
internal sealed class AnswerRecovery(LogFolder folder, KeyTable<AnswerPlace> table, long now)
{
    private const long First = 1;
    private readonly List<AnswerSegment> _segments = [];
    private long _sequence = First;
    private long _index = First;

    /// <summary>Bytes of an unfinished write at the end, which were cut off.</summary>
    public int Torn { get; private set; }

    public static IdempotencyStoreUnavailableException Damage(string path, long offset, string what) => new(
        $"The idempotency store is damaged: {path}, offset {offset}: {what}. It refuses to start, because answers that it promised may "
        + "be missing, and a repeat of such a request would be sent a second time. Restore the folder from a backup, or begin with an "
        + "empty folder once repeats of earlier requests are no longer to be expected.");

    public AnswerSegments Run(int maxLength)
    {
        folder.DeleteTemporary();
        var indexes = folder.Segments();
        foreach (var index in indexes)
        {
            Read(index, isLast: index == indexes[^1]);
        }

        return new AnswerSegments(folder, _segments, _index, _sequence, maxLength);
    }

    private void Read(long index, bool isLast)
    {
        var path = folder.Segment(index);
        var data = File.ReadAllBytes(path);
        var header = AnswerSegmentHeader.Read(data, path, index);
        if (header.FirstSequence < _sequence)
        {
            throw Damage(path, 0, "it overlaps the segment before it");
        }

        _sequence = header.FirstSequence;
        _index = index + 1;
        var (end, latestExpiry) = (AnswerSegmentHeader.Size, 0L);
        while (LogFrame.TryRead(data.AsSpan(end), out var frame))
        {
            if (frame.Sequence != _sequence++)
            {
                throw Damage(path, end, $"frame {frame.Sequence} stands where {_sequence - 1} is expected");
            }

            latestExpiry = Math.Max(latestExpiry, Apply(path, index, end, frame));
            end += frame.Size;
        }

        if (isLast)
        {
            RewriteLast(path, data, end);
        }
        else if (end < data.Length)
        {
            throw Damage(path, end, "a frame is broken, and a later segment exists");
        }

        _segments.Add(new AnswerSegment(index, end, latestExpiry));
    }

    /// <returns>When the last record of the frame expires.</returns>
    private long Apply(string path, long segment, int at, in LogFrame frame)
    {
        var latest = 0L;
        var rest = frame.Payload;
        for (var offset = at + LogFrame.HeaderSize; !rest.IsEmpty;)
        {
            if (!AnswerRecord.TryRead(rest, out var record, out var size))
            {
                throw Damage(path, offset, "a record cannot be read though its frame's checksum is right");
            }

            if (record.ExpiresAt > now)
            {
                table.Recover(in record, new AnswerPlace(segment, offset, size));
            }

            latest = Math.Max(latest, record.ExpiresAt);
            offset += size;
            rest = rest[size..];
        }

        return latest;
    }

    /// <summary>
    /// Writes the last segment anew, without its torn tail. What was read may be in the page cache only, when the process
    /// before died of a failed flush: it must be on the disk before it is promised again.
    /// </summary>
    private void RewriteLast(string path, byte[] data, int end)
    {
        Torn = data.Length - end;
        for (var at = end + 1; at <= data.Length - LogFrame.HeaderSize; at++)
        {
            if (LogFrame.TryRead(data.AsSpan(at), out var later) && later.Sequence >= _sequence)
            {
                throw Damage(path, end, $"a frame is broken, and frame {later.Sequence} at offset {at} behind it is whole");
            }
        }

        folder.Publish(path, file => file.Write(0, data.AsSpan(0, end))).Dispose();
    }
}
