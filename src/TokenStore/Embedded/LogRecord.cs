using System.Buffers.Binary;
using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>What a record of the log says.</summary>
internal enum RecordKind : byte
{
    /// <summary>A mark was raised. Rows of a snapshot have this form too.</summary>
    Advance = 1,

    /// <summary>An operator set a mark, higher or lower, with who and why.</summary>
    SetMark = 2,

    /// <summary>
    /// The store was closed with nothing in flight. <see cref="LogRecord.Mark"/>: see <see cref="CrashHold"/>.
    /// </summary>
    Closed = 3,

    /// <summary>The next segment exists: its absence is damage.</summary>
    Sealed = 4,

    /// <summary>The end of a snapshot. <see cref="LogRecord.Mark"/>: how many rows it has.</summary>
    SnapshotEnd = 5,
}

/// <summary>
/// A record: kind u8, flags u8, key length u16, LSN i64, unix milliseconds i64, mark i64, key; an operator's mark goes
/// on with the old mark i64, lengths of reason and actor u16 each, reason, actor. Little-endian, text in UTF-8.
/// </summary>
internal readonly ref struct LogRecord
{
    private const int FixedSize = 28;
    private const int AuditSize = 12;

    public RecordKind Kind { get; init; }

    public MarkFlags Flags { get; init; }

    public long Lsn { get; init; }

    public long At { get; init; }

    public long Mark { get; init; }

    public ReadOnlySpan<byte> Key { get; init; }

    public long OldMark { get; init; }

    public ReadOnlySpan<byte> Reason { get; init; }

    public ReadOnlySpan<byte> Actor { get; init; }

    public int Size =>
        FixedSize + Key.Length + (Kind == RecordKind.SetMark ? AuditSize + Reason.Length + Actor.Length : 0);

    /// <summary>The same change, of that resource and at that time.</summary>
    public LogRecord For(ReadOnlySpan<byte> key, long at) => new()
    {
        Kind = Kind,
        Flags = Flags,
        At = at,
        Mark = Mark,
        Key = key,
        OldMark = OldMark,
        Reason = Reason,
        Actor = Actor,
    };

    /// <summary>Adds the record, with the LSN given to it, to a frame.</summary>
    public void AddTo(FrameBuffer frame, long lsn) => Write(frame.Reserve(Size), lsn);

    /// <summary>Writes the record with the LSN given to it.</summary>
    public void Write(Span<byte> to, long lsn)
    {
        to[0] = (byte)Kind;
        to[1] = (byte)(Flags & MarkFlags.Contended);
        BinaryPrimitives.WriteUInt16LittleEndian(to[2..], (ushort)Key.Length);
        BinaryPrimitives.WriteInt64LittleEndian(to[4..], lsn);
        BinaryPrimitives.WriteInt64LittleEndian(to[12..], At);
        BinaryPrimitives.WriteInt64LittleEndian(to[20..], Mark);
        Key.CopyTo(to[FixedSize..]);
        if (Kind == RecordKind.SetMark)
        {
            to = to[(FixedSize + Key.Length)..];
            BinaryPrimitives.WriteInt64LittleEndian(to, OldMark);
            BinaryPrimitives.WriteUInt16LittleEndian(to[8..], (ushort)Reason.Length);
            BinaryPrimitives.WriteUInt16LittleEndian(to[10..], (ushort)Actor.Length);
            Reason.CopyTo(to[AuditSize..]);
            Actor.CopyTo(to[(AuditSize + Reason.Length)..]);
        }
    }

    /// <summary>Reads the record at the beginning of <paramref name="from"/> and moves past it.</summary>
    public static bool TryRead(ref ReadOnlySpan<byte> from, out LogRecord record)
    {
        record = default;
        if (from.Length < FixedSize || from[0] is < (byte)RecordKind.Advance or > (byte)RecordKind.SnapshotEnd)
        {
            return false;
        }

        var keyLength = BinaryPrimitives.ReadUInt16LittleEndian(from[2..]);
        var head = from;
        var rest = from[FixedSize..];
        if (rest.Length < keyLength || keyLength > KeyText.MaxBytes)
        {
            return false;
        }

        var key = rest[..keyLength];
        rest = rest[keyLength..];
        var kind = (RecordKind)head[0];
        long oldMark = 0;
        ReadOnlySpan<byte> reason = default, actor = default;
        if (kind == RecordKind.SetMark && !TryReadAudit(ref rest, out oldMark, out reason, out actor))
        {
            return false;
        }

        from = rest;
        record = new LogRecord
        {
            Kind = kind,
            Flags = (MarkFlags)head[1],
            Lsn = BinaryPrimitives.ReadInt64LittleEndian(head[4..]),
            At = BinaryPrimitives.ReadInt64LittleEndian(head[12..]),
            Mark = BinaryPrimitives.ReadInt64LittleEndian(head[20..]),
            Key = key,
            OldMark = oldMark,
            Reason = reason,
            Actor = actor,
        };
        return true;
    }

    private static bool TryReadAudit(
        scoped ref ReadOnlySpan<byte> from, out long oldMark, out ReadOnlySpan<byte> reason,
        out ReadOnlySpan<byte> actor)
    {
        oldMark = 0;
        reason = actor = default;
        if (from.Length < AuditSize)
        {
            return false;
        }

        oldMark = BinaryPrimitives.ReadInt64LittleEndian(from);
        int reasonLength = BinaryPrimitives.ReadUInt16LittleEndian(from[8..]);
        int actorLength = BinaryPrimitives.ReadUInt16LittleEndian(from[10..]);
        from = from[AuditSize..];
        if (from.Length < reasonLength + actorLength)
        {
            return false;
        }

        reason = from[..reasonLength];
        actor = from.Slice(reasonLength, actorLength);
        from = from[(reasonLength + actorLength)..];
        return true;
    }
}
