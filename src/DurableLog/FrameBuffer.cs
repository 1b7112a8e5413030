namespace FenceGateway.DurableLog;

/// <summary>Collects records for one frame. The buffer is kept from one use to the next.</summary>
internal sealed class FrameBuffer(int capacity)
{
    private byte[] _bytes = new byte[Math.Max(capacity, LogFrame.HeaderSize)];

    public int Length { get; private set; } = LogFrame.HeaderSize;

    public int Records { get; private set; }

    public bool IsEmpty => Records == 0;

    public int Capacity => _bytes.Length;

    /// <summary>Room for one more record.</summary>
    public Span<byte> Reserve(int size)
    {
        var end = Length + size;
        if (end > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(end, _bytes.Length * 2));
        }

        Length = end;
        Records++;
        return _bytes.AsSpan(end - size, size);
    }

    /// <summary>The frame, ready to be written.</summary>
    public ReadOnlySpan<byte> Seal(long sequence)
    {
        var frame = _bytes.AsSpan(0, Length);
        LogFrame.Seal(frame, sequence, Records);
        return frame;
    }

    public void Clear()
    {
        Length = LogFrame.HeaderSize;
        Records = 0;
    }
}
