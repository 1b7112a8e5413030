using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Memory;

namespace FenceGateway.Replication.Tests;

/// <summary>
/// A shared store whose data a test can take away, as an emptied disk does: marks and sessions are gone, and it serves
/// on.
/// </summary>
internal sealed class ReplaceableStore(TimeProvider time) : ITokenStore
{
    private volatile MemoryTokenStore _data = Empty(time);
    private long _lastBeat;

    public TokenStoreInfo Info => _data.Info;

    public string? Fault => _data.Fault;

    public event Action<ResourceChange>? Changed
    {
        add { }
        remove { }
    }

    /// <summary>When a session was last begun or prolonged.</summary>
    public long LastBeat => Volatile.Read(ref _lastBeat);

    public void LoseData() => _data = Empty(time);

    public long Mark(string resource) =>
        ResourceKey.TryCreate(resource, out var key)
            ? _data.PeekMark(key)
            : throw new ArgumentException("Not a key.", nameof(resource));

    public ValueTask OpenAsync(CancellationToken cancellationToken) => default;

    public ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _lastBeat, time.GetTimestamp());
        return _data.StartSessionAsync(session, timeToLive, cancellationToken);
    }

    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _lastBeat, time.GetTimestamp());
        return _data.HeartbeatAsync(session, cancellationToken);
    }

    public ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken) =>
        _data.EndSessionAsync(session, isClean, cancellationToken);

    public long PeekMark(ResourceKey resource) => 0;

    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken) =>
        _data.EnterAsync(request, cancellationToken);

    public ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) =>
        _data.WithdrawAsync(session, registrations, cancellationToken);

    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        _data.FindAsync(resource, cancellationToken);

    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken) =>
        _data.ListAsync(query, cancellationToken);

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => _data.CountAsync(cancellationToken);

    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken) =>
        _data.SetMarkAsync(request, cancellationToken);

    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        _data.ResolveAsync(resource, cancellationToken);

    public ValueTask DisposeAsync() => _data.DisposeAsync();

    private static MemoryTokenStore Empty(TimeProvider time)
    {
        var store = new MemoryTokenStore(new MemoryMarks(time), new TestLogger<MemoryTokenStore>());
        store.OpenAsync(default).AsTask().IsCompletedSuccessfully.ShouldBeTrue();
        return store;
    }
}
