using System.Buffers.Binary;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// Writes Jute, ZooKeeper's encoding: big-endian numbers, strings and buffers with their length in front. The first
/// four bytes are the length of the frame, which <see cref="ToFrame"/> fills in.
/// </summary>
internal sealed class JuteWriter
{
    private const int PrefixLength = 4;
    private byte[] _buffer = new byte[256];
    private int _length = PrefixLength;

    public JuteWriter Int(int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(Take(4), value);
        return this;
    }

    public JuteWriter Long(long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(Take(8), value);
        return this;
    }

    public JuteWriter Bool(bool value)
    {
        Take(1)[0] = value ? (byte)1 : (byte)0;
        return this;
    }

    public JuteWriter Buffer(ReadOnlySpan<byte> value)
    {
        Int(value.Length);
        value.CopyTo(Take(value.Length));
        return this;
    }

    public JuteWriter Text(string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        Int(length);
        Encoding.UTF8.GetBytes(value, Take(length));
        return this;
    }

    public JuteWriter Texts(IReadOnlyCollection<string> values)
    {
        Int(values.Count);
        foreach (var value in values)
        {
            Text(value);
        }

        return this;
    }

    /// <summary>The whole, with its length in front.</summary>
    public byte[] ToFrame()
    {
        BinaryPrimitives.WriteInt32BigEndian(_buffer, _length - PrefixLength);
        return _buffer.AsSpan(0, _length).ToArray();
    }

    /// <summary>The whole without a length, as the data of a node is.</summary>
    public byte[] ToData() => _buffer.AsSpan(PrefixLength, _length - PrefixLength).ToArray();

    private Span<byte> Take(int count)
    {
        if (_buffer.Length - _length < count)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + count));
        }

        var span = _buffer.AsSpan(_length, count);
        _length += count;
        return span;
    }
}
