using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// A request that waits for a place. Its fields belong to the lock of the compartment that it waits at.
/// </summary>
/// <param name="owner">The compartment.</param>
/// <param name="fence">The fence of its resource; null when no token orders it.</param>
/// <param name="token">Its token; 0 is none.</param>
internal sealed class PlaceWaiter(PlacePool owner, ResourceFence? fence, long token)
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PlacePool Owner => owner;

    public ResourceFence? Fence => fence;

    public long Token => token;

    /// <summary>Null while it waits; decided once, under the lock.</summary>
    public PlaceStatus? Status { get; set; }

    public PlaceWaiter? Previous { get; set; }

    public PlaceWaiter? Next { get; set; }

    /// <summary>Only wakes: <see cref="Status"/> says what happened.</summary>
    public Task Ended => _ended.Task;

    public bool IsStale => fence is not null && token < fence.Mark;

    public void Wake() => _ended.TrySetResult();

    /// <summary>
    /// Whether it is for the same resource; a fence may have been evicted and made anew between two requests.
    /// </summary>
    public bool IsOfResource(ResourceFence? other) =>
        fence is not null && other is not null && (ReferenceEquals(fence, other) || fence.Resource == other.Resource);
}
