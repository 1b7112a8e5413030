using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>Replays one segment into the table, up to its end or to the first frame that is not whole.</summary>
internal sealed class SegmentReader(MarkTable table, string path, long index)
{
    private byte[] _data = [];

    /// <summary>The log's id.</summary>
    public Guid StoreId { get; private set; }

    public long FirstSequence { get; private set; }

    /// <summary>The sequence that the next frame has.</summary>
    public long NextSequence { get; private set; }

    public long LastLsn { get; private set; }

    /// <summary>Bytes up to the end of the last whole frame.</summary>
    public int ValidLength { get; private set; }

    public bool IsEmpty => _data.Length == MarkFile.HeaderSize;

    /// <summary>Whether the last frame says that the log goes on in the next segment.</summary>
    public bool IsSealed { get; private set; }

    /// <summary>
    /// What <see cref="CrashHold"/> had served when the store was closed in good order; null when it was not.
    /// </summary>
    public long? Closed { get; private set; }

    public ReadOnlySpan<byte> Valid => _data.AsSpan(0, ValidLength);

    public ReadOnlySpan<byte> Torn => _data.AsSpan(ValidLength);

    public void Read()
    {
        _data = File.ReadAllBytes(path);
        var header = LogFileHeader.Read(_data, path, MarkFile.Segment, index, hasLog: true);
        (StoreId, FirstSequence) = (header.Log!.Value, header.FirstSequence);
        var reader = new LogReader(path, _data, MarkFile.HeaderSize, FirstSequence);
        for (var at = reader.End; reader.TryRead(out var frame); at = reader.End)
        {
            if (IsSealed || (Closed is not null && !IsSeal(frame)))
            {
                throw new LogDamagedException(path, at, "there is something behind the end of the log");
            }

            Apply(frame, at);
        }

        if (reader.End < _data.Length && (IsSealed || Closed is not null))
        {
            throw new LogDamagedException(
                path, reader.End, "there is something behind the end of the log, which was closed in good order");
        }

        reader.RefuseFrameBehind();
        (ValidLength, NextSequence) = (reader.End, reader.NextSequence);
    }

    private static bool IsSeal(in LogFrame frame)
    {
        var payload = frame.Payload;
        return LogRecord.TryRead(ref payload, out var record) && record.Kind == RecordKind.Sealed;
    }

    private void Apply(in LogFrame frame, int at)
    {
        var payload = frame.Payload;
        while (!payload.IsEmpty)
        {
            if (!LogRecord.TryRead(ref payload, out var record))
            {
                throw new LogDamagedException(path, at, "a record cannot be read though its checksum is right");
            }

            switch (record.Kind)
            {
                case RecordKind.Sealed:
                    IsSealed = true;
                    break;
                case RecordKind.Closed:
                    Closed = record.Mark;
                    break;
                case RecordKind.Advance or RecordKind.SetMark:
                    LastLsn = Math.Max(LastLsn, record.Lsn);
                    if (!table.Recover(in record))
                    {
                        throw new LogDamagedException(path, at, $"LSN {record.Lsn} would lower a mark");
                    }

                    break;
                default:
                    throw new LogDamagedException(path, at, $"a record of kind {record.Kind} does not belong here");
            }
        }
    }
}
