using FenceGateway.Fencing;
using FenceGateway.TokenStore;

namespace FenceGateway.Simulation.Parts;

/// <summary>A gateway's client of the shared store. Nobody in a run lists marks, or is an operator.</summary>
internal abstract class SimulatedClient(TokenStoreInfo info) : ITokenStore
{
    public event Action<ResourceChange>? Changed;

    public TokenStoreInfo Info => info;

    public string? Fault => null;

    public abstract ValueTask OpenAsync(CancellationToken cancellationToken);

    public abstract ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken);

    public abstract ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken);

    public abstract ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken);

    public abstract ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken);

    public abstract ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken);

    public abstract ValueTask DisposeAsync();

    public long PeekMark(ResourceKey resource) => 0;

    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    protected void Tell(ResourceChange change) => Changed?.Invoke(change);
}
