namespace FenceGateway.Idempotency;

/// <summary>Where a record is.</summary>
/// <param name="Segment">The segment's number.</param>
/// <param name="Offset">Of its first byte in the file.</param>
/// <param name="Length">Its length.</param>
internal readonly record struct AnswerPlace(long Segment, int Offset, int Length);

/// <summary>How the write of a batch ended: where its frame is, or why it is not durable.</summary>
internal readonly record struct BatchEnd(long Segment, int Offset, string? Failure);

/// <summary>Records that become durable together, as one frame.</summary>
internal sealed class AnswerBatch
{
    private const int InitialBytes = 4096;

    /// <summary>A larger buffer is given back after use: it has served one burst.</summary>
    private const int LargestKept = 1 << 20;

    private FrameBuffer _frame = new(InitialBytes);

    public int Length => _frame.Length;

    public int Records => _frame.Records;

    /// <summary>When the last of its records expires.</summary>
    public long LatestExpiry { get; private set; }

    public TaskCompletionSource<BatchEnd> Done { get; private set; } = NewSource();

    /// <summary>Adds a record.</summary>
    /// <returns>Its offset in the frame.</returns>
    public int Add(in AnswerRecord record)
    {
        var at = Length;
        record.Write(_frame.Reserve(record.Size));
        LatestExpiry = Math.Max(LatestExpiry, record.ExpiresAt);
        return at;
    }

    /// <summary>The frame, ready to be written.</summary>
    public ReadOnlySpan<byte> Seal(long sequence) => _frame.Seal(sequence);

    /// <summary>Tells everybody who waits, and is empty again.</summary>
    public void End(BatchEnd end)
    {
        var done = Done;
        Done = NewSource();
        LatestExpiry = 0;
        _frame.Clear();
        _frame = _frame.Capacity > LargestKept ? new(InitialBytes) : _frame;
        done.SetResult(end);
    }

    private static TaskCompletionSource<BatchEnd> NewSource() =>
        new(TaskCreationOptions.RunContinuationsAsynchronously);
}
