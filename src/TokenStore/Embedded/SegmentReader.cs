using FenceGateway.DurableLog;
namespace FenceGateway.TokenStore.Embedded;

/// <summary>Replays one segment into the table, up to its end or to the first frame that is not whole.</summary>
internal sealed class SegmentReader(MarkTable table, string path, long index)
{
    private byte[] _data = [];

    public FileHeader Header { get; private set; }

    /// <summary>The sequence that the next frame has.</summary>
    public long NextSequence { get; private set; }

    public long LastLsn { get; private set; }

    /// <summary>Bytes up to the end of the last whole frame.</summary>
    public int ValidLength { get; private set; }

    public int Length => _data.Length;

    public bool IsEmpty => Length == FileHeader.Size;

    /// <summary>Whether the last frame says that the log goes on in the next segment.</summary>
    public bool IsSealed { get; private set; }

    /// <summary>What <see cref="CrashHold"/> had served when the store was closed in good order; null when it was not.</summary>
    public long? Closed { get; private set; }

    public ReadOnlySpan<byte> Valid => _data.AsSpan(0, ValidLength);

    public ReadOnlySpan<byte> Torn => _data.AsSpan(ValidLength);

    public void Read()
    {
        _data = File.ReadAllBytes(path);
        Header = FileHeader.Read(_data, path, isSnapshot: false, index);
        NextSequence = Header.FirstSequence;
        ValidLength = FileHeader.Size;
        while (LogFrame.TryRead(_data.AsSpan(ValidLength), out var frame))
        {
            if (frame.Sequence != NextSequence)
            {
                throw Damage.At(path, ValidLength, $"frame {frame.Sequence} follows frame {NextSequence - 1}");
            }

            if (IsSealed || (Closed is not null && !IsSeal(frame)))
            {
                throw Damage.At(path, ValidLength, "there is something behind the end of the log");
            }

            Apply(frame);
            ValidLength += frame.Size;
            NextSequence++;
        }

        RefuseDamage();
    }

    /// <summary>Only the very last write can be incomplete: a whole frame behind a broken one proves damage.</summary>
    private void RefuseDamage()
    {
        if (ValidLength == Length)
        {
            return;
        }

        if (IsSealed || Closed is not null)
        {
            throw Damage.At(path, ValidLength, "there is something behind the end of the log, which was closed in good order");
        }

        for (var at = ValidLength + 1; at <= Length - LogFrame.HeaderSize; at++)
        {
            if (LogFrame.TryRead(_data.AsSpan(at), out var later) && later.Sequence >= NextSequence)
            {
                throw Damage.At(path, ValidLength, $"a frame is broken, and frame {later.Sequence} at offset {at} behind it is whole");
            }
        }
    }

    private static bool IsSeal(in LogFrame frame)
    {
        var payload = frame.Payload;
        return LogRecord.TryRead(ref payload, out var record) && record.Kind == RecordKind.Sealed;
    }

    private void Apply(in LogFrame frame)
    {
        var payload = frame.Payload;
        while (!payload.IsEmpty)
        {
            if (!LogRecord.TryRead(ref payload, out var record))
            {
                throw Damage.At(path, ValidLength, "a record cannot be read though its checksum is right");
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
                        throw Damage.At(path, ValidLength, $"LSN {record.Lsn} would lower a mark");
                    }

                    break;
                default:
                    throw Damage.At(path, ValidLength, $"a record of kind {record.Kind} does not belong here");
            }
        }
    }
}
