namespace FenceGateway.TokenStore.Embedded;

/// <summary>Collects records for one frame. The buffer is kept from one use to the next.</summary>
internal sealed class FrameBuffer(int capacity)
{
    private byte[] _bytes = new byte[Math.Max(capacity, LogFrame.HeaderSize)];

    public int Length { get; private set; } = LogFrame.HeaderSize;

    public int Records { get; private set; }

    public bool IsEmpty => Records == 0;

    public void Add(in LogRecord record, long lsn)
    {
        var end = Length + record.Size;
        if (end > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(end, _bytes.Length * 2));
        }

        record.Write(_bytes.AsSpan(Length), lsn);
        Length = end;
        Records++;
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
