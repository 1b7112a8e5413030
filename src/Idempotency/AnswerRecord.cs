using System.Buffers.Binary;

namespace FenceGateway.Idempotency;

/// <summary>What a record says of its key.</summary>
internal enum AnswerRecordKind : byte
{
    /// <summary>The request is about to be sent.</summary>
    Started = 1,

    /// <summary>It was answered, and the answer follows.</summary>
    Completed = 2,

    /// <summary>It may have been applied, and there is no answer to repeat.</summary>
    Abandoned = 3,

    /// <summary>It was certainly not applied: the key is free.</summary>
    Released = 4,
}

/// <summary>
/// One record of the log: length of the answer i32, CRC-32C u32 of all that follows, kind u8, reason u8, two bytes of
/// zero, key u128, fingerprint u128, expiry i64, then the answer: status u16, number of headers u16, each name and
/// value with its length before it as i32, body.
/// </summary>
internal readonly ref struct AnswerRecord
{
    public const int HeaderSize = 52;

    /// <summary>Of the files that have records.</summary>
    public const ulong FileKind = 0x4752_534E_4144_4946; // "FIDANSRG"

    private const int AnswerHeaderSize = 4;
    private const int CheckedFrom = 8;

    public AnswerRecordKind Kind { get; init; }

    public UnknownReason Reason { get; init; }

    public KeyHash Key { get; init; }

    public RequestFingerprint Fingerprint { get; init; }

    /// <summary>Unix time in milliseconds.</summary>
    public long ExpiresAt { get; init; }

    /// <summary>With <see cref="AnswerRecordKind.Completed"/>.</summary>
    public StoredAnswer? Answer { get; init; }

    public int Size => HeaderSize + (Answer is null ? 0 : SizeOf(Answer));

    /// <summary>How many bytes an answer takes.</summary>
    public static int SizeOf(StoredAnswer answer)
    {
        var size = AnswerHeaderSize + answer.Body.Length;
        foreach (var (name, value) in answer.Headers)
        {
            size += sizeof(int) + Encoding.UTF8.GetByteCount(name) + sizeof(int) + Encoding.UTF8.GetByteCount(value);
        }

        return size;
    }

    /// <summary>Writes the record into exactly <see cref="Size"/> bytes.</summary>
    public void Write(Span<byte> to)
    {
        BinaryPrimitives.WriteInt32LittleEndian(to, to.Length - HeaderSize);
        to[8] = (byte)Kind;
        to[9] = (byte)Reason;
        to[10..12].Clear();
        BinaryPrimitives.WriteUInt128LittleEndian(to[12..], Key.Value);
        BinaryPrimitives.WriteUInt128LittleEndian(to[28..], Fingerprint.Value);
        BinaryPrimitives.WriteInt64LittleEndian(to[44..], ExpiresAt);
        if (Answer is not null)
        {
            Write(Answer, to[HeaderSize..]);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], Crc32C.Of(to[CheckedFrom..]));
    }

    /// <summary>
    /// Reads the record at the beginning of <paramref name="data"/>, without its answer, and how long it is.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> data, out AnswerRecord record, out int size)
    {
        record = default;
        size = 0;
        if (data.Length < HeaderSize
            || BinaryPrimitives.ReadInt32LittleEndian(data) is var length
            && (length < 0 || length > data.Length - HeaderSize))
        {
            return false;
        }

        size = HeaderSize + length;
        data = data[..size];
        record = new AnswerRecord
        {
            Kind = (AnswerRecordKind)data[8],
            Reason = (UnknownReason)data[9],
            Key = new KeyHash(BinaryPrimitives.ReadUInt128LittleEndian(data[12..])),
            Fingerprint = new RequestFingerprint(BinaryPrimitives.ReadUInt128LittleEndian(data[28..])),
            ExpiresAt = BinaryPrimitives.ReadInt64LittleEndian(data[44..]),
        };
        return BinaryPrimitives.ReadUInt32LittleEndian(data[4..]) == Crc32C.Of(data[CheckedFrom..]);
    }

    /// <summary>Reads the answer of a whole record; null when it is not the completed record of that key.</summary>
    public static StoredAnswer? ReadAnswer(ReadOnlyMemory<byte> bytes, KeyHash key)
    {
        if (!TryRead(bytes.Span, out var record, out var size)
            || record.Kind != AnswerRecordKind.Completed || record.Key != key || size != bytes.Length)
        {
            return null;
        }

        var rest = bytes[HeaderSize..];
        var status = BinaryPrimitives.ReadUInt16LittleEndian(rest.Span);
        var headers = new KeyValuePair<string, string>[BinaryPrimitives.ReadUInt16LittleEndian(rest.Span[2..])];
        rest = rest[AnswerHeaderSize..];
        for (var i = 0; i < headers.Length; i++)
        {
            headers[i] = KeyValuePair.Create(ReadText(ref rest), ReadText(ref rest));
        }

        return new StoredAnswer(status, headers, rest);
    }

    private static void Write(StoredAnswer answer, Span<byte> to)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(to, checked((ushort)answer.Status));
        BinaryPrimitives.WriteUInt16LittleEndian(to[2..], checked((ushort)answer.Headers.Count));
        to = to[AnswerHeaderSize..];
        foreach (var (name, value) in answer.Headers)
        {
            WriteText(name, ref to);
            WriteText(value, ref to);
        }

        answer.Body.Span.CopyTo(to);
    }

    private static void WriteText(string text, ref Span<byte> to)
    {
        var length = Encoding.UTF8.GetBytes(text, to[sizeof(int)..]);
        BinaryPrimitives.WriteInt32LittleEndian(to, length);
        to = to[(sizeof(int) + length)..];
    }

    private static string ReadText(ref ReadOnlyMemory<byte> from)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(from.Span);
        var text = Encoding.UTF8.GetString(from.Span.Slice(sizeof(int), length));
        from = from[(sizeof(int) + length)..];
        return text;
    }
}
