using System.Buffers.Binary;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// Reads Jute from a frame that is here as a whole. Every length is checked against what is left before anything is
/// allocated for it.
/// </summary>
internal ref struct JuteReader(ReadOnlySpan<byte> frame)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private ReadOnlySpan<byte> _left = frame;

    public readonly bool IsAtEnd => _left.IsEmpty;

    public int Int() => BinaryPrimitives.ReadInt32BigEndian(Take(4));

    public long Long() => BinaryPrimitives.ReadInt64BigEndian(Take(8));

    public bool Bool() => Take(1)[0] switch
    {
        0 => false,
        1 => true,
        var other => throw new ZooKeeperProtocolException($"A truth value is {other}."),
    };

    /// <summary>Valid as long as the frame is. No buffer (length −1) is an empty one.</summary>
    public ReadOnlySpan<byte> Buffer() => Take(Math.Max(Length(), 0));

    public string Text()
    {
        try
        {
            return Utf8.GetString(Buffer());
        }
        catch (DecoderFallbackException e)
        {
            throw new ZooKeeperProtocolException("A text is no UTF-8.", e);
        }
    }

    public string[] Texts()
    {
        var texts = new string[Count(smallest: 4)];
        for (var i = 0; i < texts.Length; i++)
        {
            texts[i] = Text();
        }

        return texts;
    }

    /// <summary>The number of elements that follow, each of at least <paramref name="smallest"/> bytes.</summary>
    public int Count(int smallest)
    {
        var count = Math.Max(Length(), 0);
        return (long)count * smallest <= _left.Length
            ? count
            : throw new ZooKeeperProtocolException(
                $"A list of {count} does not fit into the {_left.Length} bytes that follow.");
    }

    private int Length() =>
        Int() is >= -1 and var length ? length : throw new ZooKeeperProtocolException("A length is negative.");

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _left.Length)
        {
            throw new ZooKeeperProtocolException($"{count} bytes were announced, {_left.Length} are left.");
        }

        var taken = _left[..count];
        _left = _left[count..];
        return taken;
    }
}
