using System.Buffers.Binary;
using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// The first 48 bytes of a segment or snapshot: magic u64, format version u32, CRC-32C u32 of all that follows, segment index
/// i64, sequence of the first frame i64, store id 16 bytes.
/// </summary>
/// <param name="IsSnapshot">Whether the file is a snapshot.</param>
/// <param name="Index">The segment's number; of a snapshot: the segment where the log goes on after it.</param>
/// <param name="FirstSequence">The sequence of the file's first frame.</param>
/// <param name="StoreId">The same in all files of a store.</param>
internal readonly record struct FileHeader(bool IsSnapshot, long Index, long FirstSequence, Guid StoreId)
{
    public const int Size = 48;
    public const uint Version = 1;

    private const ulong SegmentMagic = 0x474F_4C4B_4F54_4746; // "FGTOKLOG"
    private const ulong SnapshotMagic = 0x504E_534B_4F54_4746; // "FGTOKSNP"

    public byte[] ToBytes()
    {
        var bytes = new byte[Size];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, IsSnapshot ? SnapshotMagic : SegmentMagic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), Index);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), FirstSequence);
        StoreId.TryWriteBytes(bytes.AsSpan(32));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), Crc32C.Of(bytes.AsSpan(16)));
        return bytes;
    }

    /// <summary>Reads and checks the header of the file at <paramref name="path"/>.</summary>
    /// <exception cref="TokenStoreUnavailableException">It is damaged, of another kind, or of a newer format.</exception>
    public static FileHeader Read(ReadOnlySpan<byte> data, string path, bool isSnapshot, long index)
    {
        if (data.Length < Size
            || BinaryPrimitives.ReadUInt64LittleEndian(data) != (isSnapshot ? SnapshotMagic : SegmentMagic))
        {
            throw Damage.At(path, 0, "the file header is missing or is not one of a token store");
        }

        // The version comes first: a newer format may have another header.
        var version = BinaryPrimitives.ReadUInt32LittleEndian(data[8..]);
        if (version != Version)
        {
            throw new TokenStoreUnavailableException(
                $"{path} was written in format {version} and this version reads format {Version}: run the newer version, "
                + "or restore a backup that was taken before the upgrade.");
        }

        data = data[..Size];
        if (BinaryPrimitives.ReadUInt32LittleEndian(data[12..]) != Crc32C.Of(data[16..]))
        {
            throw Damage.At(path, 0, "the checksum of the file header does not match");
        }

        var header = new FileHeader(
            isSnapshot,
            BinaryPrimitives.ReadInt64LittleEndian(data[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(data[24..]),
            new Guid(data[32..]));
        return header.Index == index
            ? header
            : throw Damage.At(path, 0, $"the file says it is number {header.Index}: it was renamed or copied");
    }
}
