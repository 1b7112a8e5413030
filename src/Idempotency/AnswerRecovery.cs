namespace FenceGateway.Idempotency;

/// <summary>
/// Reads all segments into the table. Only the last one may end in the middle of a write: nobody was told of that one,
/// and it is cut off.
/// </summary>
internal sealed class AnswerRecovery(LogFolder folder, KeyTable<AnswerPlace> table, long now)
{
    private const long First = 1;
    private readonly List<AnswerSegment> _segments = [];
    private long _sequence = First;
    private long _index = First;

    /// <summary>Bytes of an unfinished write at the end, which were cut off.</summary>
    public int Torn { get; private set; }

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
        var header = LogFileHeader.Read(data, path, AnswerRecord.FileKind, index, hasLog: false);
        if (header.FirstSequence < _sequence)
        {
            throw new LogDamagedException(path, 0, "it overlaps the segment before it");
        }

        var latestExpiry = 0L;
        var reader = new LogReader(path, data, LogFileHeader.Size, header.FirstSequence);
        for (var at = reader.End; reader.TryRead(out var frame); at = reader.End)
        {
            latestExpiry = Math.Max(latestExpiry, Apply(path, index, at, frame));
        }

        if (isLast)
        {
            reader.RefuseFrameBehind();
            RewriteLast(path, data, reader.End);
        }
        else if (reader.End < data.Length)
        {
            throw new LogDamagedException(path, reader.End, "a frame is broken, and a later segment exists");
        }

        (_sequence, _index) = (reader.NextSequence, index + 1);
        _segments.Add(new AnswerSegment(index, reader.End, latestExpiry));
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
                throw new LogDamagedException(
                    path, offset, "a record cannot be read though its frame's checksum is right");
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
    /// Writes the last segment anew, without its torn tail. What was read may be in the page cache only, when the
    /// process before died of a failed flush: it must be on the disk before it is promised again.
    /// </summary>
    private void RewriteLast(string path, byte[] data, int end)
    {
        Torn = data.Length - end;
        folder.Publish(path, file => file.Write(0, data.AsSpan(0, end))).Dispose();
    }
}
