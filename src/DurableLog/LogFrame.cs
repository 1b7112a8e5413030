using System.Buffers.Binary;

namespace FenceGateway.DurableLog;

/// <summary>
/// One batch as it lies in a file: magic u32, CRC-32C u32 of all that follows, sequence i64, payload length i32,
/// number of records i32, payload.
/// </summary>
internal readonly ref struct LogFrame
{
    public const int HeaderSize = 24;

    /// <summary>Has bytes that UTF-8 never has, so that no key can look like a frame.</summary>
    public const uint Magic = 0xFE46_47FF;

    public long Sequence { get; private init; }

    public int Records { get; private init; }

    public ReadOnlySpan<byte> Payload { get; private init; }

    public int Size => HeaderSize + Payload.Length;

    /// <summary>Fills in the header of a frame whose payload is in place.</summary>
    public static void Seal(Span<byte> frame, long sequence, int records)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Magic);
        BinaryPrimitives.WriteInt64LittleEndian(frame[8..], sequence);
        BinaryPrimitives.WriteInt32LittleEndian(frame[16..], frame.Length - HeaderSize);
        BinaryPrimitives.WriteInt32LittleEndian(frame[20..], records);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], Crc32C.Of(frame[8..]));
    }

    /// <summary>The payload's length as a header states it, unchecked; negative when this is no header.</summary>
    public static int PayloadLength(ReadOnlySpan<byte> header) =>
        BinaryPrimitives.ReadUInt32LittleEndian(header) == Magic
            ? BinaryPrimitives.ReadInt32LittleEndian(header[16..])
            : -1;

    /// <summary>
    /// Reads the frame at the beginning of <paramref name="data"/>; false when none is there whole and unharmed.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> data, out LogFrame frame)
    {
        frame = default;
        if (data.Length < HeaderSize)
        {
            return false;
        }

        var length = PayloadLength(data);
        if (length < 0 || length > data.Length - HeaderSize)
        {
            return false;
        }

        data = data[..(HeaderSize + length)];
        if (BinaryPrimitives.ReadUInt32LittleEndian(data[4..]) != Crc32C.Of(data[8..]))
        {
            return false;
        }

        frame = new LogFrame
        {
            Sequence = BinaryPrimitives.ReadInt64LittleEndian(data[8..]),
            Records = BinaryPrimitives.ReadInt32LittleEndian(data[20..]),
            Payload = data[HeaderSize..],
        };
        return true;
    }
}
