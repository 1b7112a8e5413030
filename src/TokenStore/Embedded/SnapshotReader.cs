using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// Reads a snapshot into the table. It got its name only when it was whole, so anything wrong with it is damage.
/// </summary>
internal sealed class SnapshotReader(MarkTable table, string path, long index)
{
    private const int MaxFrame = 64 << 20;

    public Guid StoreId { get; private set; }

    public long LastLsn { get; private set; }

    public long Length { get; private set; }

    public void Read()
    {
        using var handle = File.OpenHandle(
            path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        Length = RandomAccess.GetLength(handle);
        var buffer = new byte[1 << 20];
        var header = buffer.AsSpan(0, ReadAt(handle, buffer.AsSpan(0, MarkFile.HeaderSize), 0));
        StoreId = LogFileHeader.Read(header, path, MarkFile.Snapshot, index, hasLog: true).Log!.Value;
        long rows = 0, offset = MarkFile.HeaderSize;
        for (long sequence = 0; ; sequence++)
        {
            var length = ReadFrame(handle, ref buffer, offset);
            if (!LogFrame.TryRead(buffer.AsSpan(0, length), out var frame) || frame.Sequence != sequence)
            {
                throw new LogDamagedException(path, offset, "a block is damaged or missing");
            }

            offset += frame.Size;
            if (Apply(frame, offset, ref rows))
            {
                break;
            }
        }

        if (offset != Length)
        {
            throw new LogDamagedException(path, offset, "there is something behind the end");
        }
    }

    private static int ReadFrame(Microsoft.Win32.SafeHandles.SafeFileHandle handle, ref byte[] buffer, long offset)
    {
        var got = ReadAt(handle, buffer.AsSpan(0, LogFrame.HeaderSize), offset);
        var payload = got < LogFrame.HeaderSize ? -1 : LogFrame.PayloadLength(buffer);
        if (payload is < 0 or > MaxFrame)
        {
            return 0;
        }

        if (buffer.Length < LogFrame.HeaderSize + payload)
        {
            Array.Resize(ref buffer, LogFrame.HeaderSize + payload);
        }

        return got + ReadAt(handle, buffer.AsSpan(LogFrame.HeaderSize, payload), offset + LogFrame.HeaderSize);
    }

    private static int ReadAt(Microsoft.Win32.SafeHandles.SafeFileHandle handle, Span<byte> to, long offset)
    {
        var got = 0;
        while (got < to.Length && RandomAccess.Read(handle, to[got..], offset + got) is > 0 and var read)
        {
            got += read;
        }

        return got;
    }

    /// <returns>Whether this was the end.</returns>
    private bool Apply(in LogFrame frame, long end, ref long rows)
    {
        var payload = frame.Payload;
        while (!payload.IsEmpty)
        {
            if (!LogRecord.TryRead(ref payload, out var record))
            {
                throw new LogDamagedException(path, end - payload.Length, "a row cannot be read");
            }

            if (record.Kind == RecordKind.SnapshotEnd)
            {
                return record.Mark == rows
                    ? true
                    : throw new LogDamagedException(path, end, $"{rows} rows were read, {record.Mark} were written");
            }

            LastLsn = Math.Max(LastLsn, record.Lsn);
            table.Recover(in record);
            rows++;
        }

        return false;
    }
}
