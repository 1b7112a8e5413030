using System.Buffers.Binary;

namespace FenceGateway.Idempotency;

/// <summary>
/// The first 32 bytes of a segment: magic u64, format version u32, CRC-32C u32 of all that follows, segment index i64, sequence
/// of the first frame i64.
/// </summary>
internal readonly record struct AnswerSegmentHeader(long Index, long FirstSequence)
{
    public const int Size = 32;
    public const uint Version = 1;
    private const ulong Magic = 0x4752_534E_4144_4946; // "FIDANSRG"

    public byte[] ToBytes()
    {
        var bytes = new byte[Size];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), Index);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), FirstSequence);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), Crc32C.Of(bytes.AsSpan(16)));
        return bytes;
    }

    /// <summary>Reads and checks the header of the file at <paramref name="path"/>.</summary>
    /// <exception cref="IdempotencyStoreUnavailableException">It is damaged, of another kind, or of another format.</exception>
    public static AnswerSegmentHeader Read(ReadOnlySpan<byte> data, string path, long index)
    {
        if (data.Length < Size || BinaryPrimitives.ReadUInt64LittleEndian(data) != Magic)
        {
            throw AnswerRecovery.Damage(path, 0, "the file header is missing or is not one of an idempotency store");
        }

        // The version comes first: another format may have another header.
        var version = BinaryPrimitives.ReadUInt32LittleEndian(data[8..]);
        if (version != Version)
        {
            throw new IdempotencyStoreUnavailableException(
                $"{path} was written in format {version} and this version reads format {Version}: run the other version.");
        }

        data = data[..Size];
        var header = new AnswerSegmentHeader(
            BinaryPrimitives.ReadInt64LittleEndian(data[16..]), BinaryPrimitives.ReadInt64LittleEndian(data[24..]));
        return BinaryPrimitives.ReadUInt32LittleEndian(data[12..]) == Crc32C.Of(data[16..]) && header.Index == index
            ? header
            : throw AnswerRecovery.Damage(path, 0, "the file header is damaged, or the file was renamed");
    }
}
