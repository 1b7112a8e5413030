using System.Numerics;
using System.Runtime.CompilerServices;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// One stripe of the mark table: entries and keys lie in chunks that never move, an open-addressing index of 4 bytes a
/// slot points at them. Only the index is rebuilt when the stripe grows. Every member is called under
/// <see cref="Gate"/>.
/// </summary>
internal sealed class MarkStripe
{
    /// <summary>The most resources in one stripe: an index slot has 20 bits for the entry's number.</summary>
    public const int MaxEntries = (1 << NumberBits) - 1;

    /// <summary>Entries of a chunk; also how many a snapshot copies at a time under the lock.</summary>
    public const int ChunkEntries = 1 << EntryBits;

    private const int NumberBits = 20;
    private const int EntryBits = 9;
    private const int KeyBits = 14;
    private const int FirstEntries = 4;
    private const int FirstKeyBytes = 128;

    private uint[] _index = [];
    private MarkEntry[][] _entries = [];
    private byte[][] _keys = [];
    private int _keyEnd;

    public Lock Gate { get; } = new();

    public int Count { get; private set; }

    public ref MarkEntry this[int number] => ref _entries[number >> EntryBits][number & (ChunkEntries - 1)];

    /// <summary>The number of the entry with that key, or -1.</summary>
    public int Find(ReadOnlySpan<char> key, uint hash)
    {
        if (Count == 0)
        {
            return -1;
        }

        var mask = _index.Length - 1;
        for (var at = Home(hash); ; at = (at + 1) & mask)
        {
            var slot = _index[at];
            if (slot == 0)
            {
                return -1;
            }

            // The slot's upper 12 bits are the hash's: most strangers are passed over without a look at their entry.
            if ((slot ^ hash) >> NumberBits == 0)
            {
                var number = (int)(slot & MaxEntries) - 1;
                ref var entry = ref this[number];
                if (entry.Hash == hash && HasKey(in entry, key))
                {
                    return number;
                }
            }
        }
    }

    /// <summary>The key of an entry, as UTF-8.</summary>
    public ReadOnlySpan<byte> KeyOf(in MarkEntry entry) =>
        _keys[entry.KeyAt >> KeyBits].AsSpan((int)(entry.KeyAt & ((1 << KeyBits) - 1)), entry.KeyLength);

    /// <summary>Makes room for one more entry, so that <see cref="Add"/> cannot fail any more.</summary>
    public void Reserve(int keyBytes)
    {
        if (Count + 1 > _index.Length / 4 * 3)
        {
            GrowIndex();
        }

        var chunk = Count >> EntryBits;
        Grow(ref _entries, chunk, (Count & (ChunkEntries - 1)) + 1, FirstEntries, ChunkEntries);
        var offset = _keyEnd & ((1 << KeyBits) - 1);
        if (offset + keyBytes > 1 << KeyBits)
        {
            // A key lies in one piece.
            _keyEnd = ((_keyEnd >> KeyBits) + 1) << KeyBits;
            offset = 0;
        }

        Grow(ref _keys, _keyEnd >> KeyBits, offset + keyBytes, FirstKeyBytes, 1 << KeyBits);
    }

    /// <summary>Adds an entry for a key that is not there, after <see cref="Reserve"/>.</summary>
    public int Add(ReadOnlySpan<byte> key, uint hash)
    {
        var number = Count++;
        key.CopyTo(_keys[_keyEnd >> KeyBits].AsSpan(_keyEnd & ((1 << KeyBits) - 1)));
        this[number] = new MarkEntry { Hash = hash, KeyAt = (uint)_keyEnd, KeyLength = (ushort)key.Length };
        _keyEnd += key.Length;
        Link(number, hash);
        return number;
    }

    private static void Grow<T>(ref T[][] chunks, int chunk, int needed, int first, int full)
    {
        if (chunk == chunks.Length)
        {
            Array.Resize(ref chunks, chunk + 1);

            // Only the first chunk of a stripe starts small: a store with few resources takes little memory.
            chunks[chunk] = chunk == 0 ? [] : new T[full];
        }

        if (chunks[chunk].Length < needed)
        {
            var size = Math.Min(full, Math.Max(first, (int)BitOperations.RoundUpToPowerOf2((uint)needed)));
            Array.Resize(ref chunks[chunk], size);
        }
    }

    private void GrowIndex()
    {
        _index = new uint[Math.Max(8, _index.Length * 2)];
        for (var number = 0; number < Count; number++)
        {
            Link(number, this[number].Hash);
        }
    }

    private void Link(int number, uint hash)
    {
        var mask = _index.Length - 1;
        var at = Home(hash);
        while (_index[at] != 0)
        {
            at = (at + 1) & mask;
        }

        _index[at] = (hash >> NumberBits << NumberBits) | (uint)(number + 1);
    }

    // Fibonacci hashing: the low bits chose the stripe already.
    private int Home(uint hash) => (int)((hash * 0x9E3779B1u) >> (32 - BitOperations.Log2((uint)_index.Length)));

    private bool HasKey(in MarkEntry entry, ReadOnlySpan<char> key)
    {
        var stored = KeyOf(in entry);

        // As many bytes as characters: equal only if both are ASCII, which needs no transcoding.
        return stored.Length == key.Length
            ? Ascii.Equals(stored, key)
            : stored.Length > key.Length && HasKeySlow(stored, key);
    }

    [SkipLocalsInit]
    private static bool HasKeySlow(ReadOnlySpan<byte> stored, ReadOnlySpan<char> key)
    {
        Span<byte> buffer = stackalloc byte[KeyText.MaxBytes];
        return stored.SequenceEqual(buffer[..KeyText.Encode(key, buffer)]);
    }
}
