using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>Records that become durable together, and who waits for them.</summary>
internal sealed class CommitBatch
{
    private const int InitialBytes = 4096;

    public FrameBuffer Frame { get; } = new(InitialBytes);

    /// <summary>The LSN of its last record.</summary>
    public long LastLsn { get; set; }

    /// <summary>Completed with null when the batch is durable, else with the reason why it is not.</summary>
    public TaskCompletionSource<string?> Done { get; private set; } = NewSource();

    /// <summary>Tells everybody who waits. Whoever waits from now on waits for the next try.</summary>
    public void Complete(string? failure)
    {
        var done = Done;
        Done = NewSource();
        done.SetResult(failure);
    }

    private static TaskCompletionSource<string?> NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
