using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// Copies the table to a file while marks move on: a few hundred entries at a time under their stripe's lock. Each row
/// carries the LSN of its last change, which tells a reader of the log behind it what the row already has.
/// </summary>
internal static class SnapshotWriter
{
    /// <summary>Flushed in parts, so that the log's own flushes never wait for a whole snapshot.</summary>
    private const long FlushEvery = 8 << 20;

    /// <returns>The size of the file.</returns>
    public static long Write(
        LogFolder folder, MarkTable table, LogFileHeader header, int block, CancellationToken cancellationToken)
    {
        long size = 0;
        var name = folder.Snapshot(header.Index);
        folder.Publish(name, file => size = Write(file, name, table, header, block, cancellationToken)).Dispose();
        return size;
    }

    private static long Write(
        ISegmentFile file, string name, MarkTable table, LogFileHeader header, int block,
        CancellationToken cancellationToken)
    {
        file.Write(0, header.ToBytes());
        var output = new Output(file, name);
        foreach (var stripe in table.Stripes)
        {
            for (var from = 0; CopyChunk(stripe, ref from, output.Frame) > 0;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (output.Frame.Length >= block)
                {
                    output.WriteFrame();
                }
            }
        }

        if (!output.Frame.IsEmpty)
        {
            output.WriteFrame();
        }

        new LogRecord { Kind = RecordKind.SnapshotEnd, Mark = output.Rows }.AddTo(output.Frame, lsn: 0);
        output.WriteFrame();
        return output.Length;
    }

    private static int CopyChunk(MarkStripe stripe, ref int from, FrameBuffer to)
    {
        lock (stripe.Gate)
        {
            var end = Math.Min(stripe.Count, from + MarkStripe.ChunkEntries);
            var copied = end - from;
            for (; from < end; from++)
            {
                ref var entry = ref stripe[from];
                var row = new LogRecord
                {
                    Kind = RecordKind.Advance,
                    Flags = entry.Flags,
                    At = entry.ChangedAt,
                    Mark = entry.Mark,
                    Key = stripe.KeyOf(in entry),
                };
                row.AddTo(to, entry.Lsn);
            }

            return copied;
        }
    }

    private sealed class Output(ISegmentFile file, string name)
    {
        private long _sequence;
        private long _flushed;

        public FrameBuffer Frame { get; } = new(capacity: 64 << 10);

        public long Length { get; private set; } = MarkFile.HeaderSize;

        public long Rows { get; private set; }

        public void WriteFrame()
        {
            file.Write(Length, Frame.Seal(_sequence++));
            Length += Frame.Length;
            Rows += Frame.Records;
            Frame.Clear();
            if (Length - _flushed >= FlushEvery)
            {
                LogFolder.Flush(file, name);
                _flushed = Length;
            }
        }
    }
}
