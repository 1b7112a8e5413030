using System.Buffers.Binary;

namespace FenceGateway.DurableLog;

/// <summary>
/// The first bytes of a file: kind u64, format version u32, CRC-32C u32 of all that follows, the file's number i64,
/// sequence of the first frame i64; where a log has an id, its 16 bytes.
/// </summary>
/// <param name="Kind">Tells a log's kinds of files, and the logs, apart.</param>
/// <param name="Index">The file's number.</param>
/// <param name="FirstSequence">The sequence of the file's first frame.</param>
/// <param name="Log">The same in all files of a log; null for logs without.</param>
internal readonly record struct LogFileHeader(ulong Kind, long Index, long FirstSequence, Guid? Log = null)
{
    public const int Size = 32;
    public const int SizeWithLog = Size + 16;
    public const uint Version = 1;

    public byte[] ToBytes()
    {
        var bytes = new byte[Log is null ? Size : SizeWithLog];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Kind);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), Index);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), FirstSequence);
        Log?.TryWriteBytes(bytes.AsSpan(Size));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), Crc32C.Of(bytes.AsSpan(16)));
        return bytes;
    }

    /// <summary>Reads and checks the header of the file at <paramref name="path"/>.</summary>
    /// <exception cref="LogDamagedException">It is damaged, or of another kind.</exception>
    /// <exception cref="LogFormatException">It is of another format.</exception>
    public static LogFileHeader Read(ReadOnlySpan<byte> data, string path, ulong kind, long index, bool hasLog)
    {
        var size = hasLog ? SizeWithLog : Size;
        if (data.Length < size || BinaryPrimitives.ReadUInt64LittleEndian(data) != kind)
        {
            throw new LogDamagedException(path, 0, "the file header is missing or is one of another kind of file");
        }

        // The version comes first: another format may have another header.
        var version = BinaryPrimitives.ReadUInt32LittleEndian(data[8..]);
        if (version != Version)
        {
            throw new LogFormatException(path, version, Version);
        }

        data = data[..size];
        if (BinaryPrimitives.ReadUInt32LittleEndian(data[12..]) != Crc32C.Of(data[16..]))
        {
            throw new LogDamagedException(path, 0, "the checksum of the file header does not match");
        }

        var header = new LogFileHeader(
            kind,
            BinaryPrimitives.ReadInt64LittleEndian(data[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(data[24..]),
            hasLog ? new Guid(data[Size..]) : null);
        return header.Index == index
            ? header
            : throw new LogDamagedException(
                path, 0, $"the file says it is number {header.Index}: it was renamed or copied");
    }
}
