using FenceGateway.Fencing;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Tests.Fencing;

/// <summary>A shared store that answers an operator as a test says; nothing else is asked of it.</summary>
internal sealed class OperatorScript : ITokenStore
{
    public long Mark { get; set; } = 100;

    /// <summary>Who is registered.</summary>
    public IReadOnlyList<WriterRecord> Writers { get; set; } = [];

    /// <summary>What a change comes to once it has been made; a task that a test may never complete.</summary>
    public Func<CancellationToken, Task<int>> Change { get; set; } = _ => Task.FromResult(1);

    public TokenStoreInfo Info { get; } = new("Script", SafetyGrade.Strict, "a test");

    public string? Fault => null;

    public event Action<ResourceChange>? Changed
    {
        add { }
        remove { }
    }

    public ValueTask OpenAsync(CancellationToken cancellationToken) => default;

    public ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken) => new(timeToLive);

    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) =>
        new(new Heartbeat(true, []));

    public ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken) => default;

    public long PeekMark(ResourceKey resource) => 0;

    public ValueTask<EnterReply> EnterAsync(
        EnterRequest request, CancellationToken cancellationToken) => throw NotAsked();

    public ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) => default;

    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        new(new MarkRecord(resource, Mark, default, 1, Writers));

    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(
        MarkQuery query, CancellationToken cancellationToken) => throw NotAsked();

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => throw NotAsked();

    public async ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        Mark = request.Mark;
        return await Change(cancellationToken) > 0;
    }

    public async ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        await Change(cancellationToken);

    public ValueTask DisposeAsync() => default;

    private static InvalidOperationException NotAsked() => new("Nobody asks that here.");
}
