using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Tests;

/// <summary>A store whose every answer the test gives by hand: for replies that are late, lost or refused.</summary>
internal sealed class ScriptedStore : ITokenStore
{
    private readonly Queue<(EnterRequest Request, TaskCompletionSource<EnterReply> Reply)> _pending = new();

    public List<EnterRequest> Requests { get; } = [];

    public Dictionary<string, long> Marks { get; } = [];

    public int MostAtOnce { get; private set; }

    public TokenStoreInfo Info { get; } = new("Scripted", SafetyGrade.Volatile, "a test");

    public string? Fault => null;

    public event Action<ResourceChange>? Changed;

    public void Tell(ResourceChange change) => Changed?.Invoke(change);

    public ValueTask OpenAsync(CancellationToken cancellationToken) => default;

    public ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken) =>
        new(Timeout.InfiniteTimeSpan);

    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) =>
        new(new Heartbeat(true, []));

    public ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken) => default;

    public ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) =>
        default;

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => new(Marks.Count);

    public long PeekMark(ResourceKey resource) => Marks.GetValueOrDefault(resource.Value);

    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        lock (_pending)
        {
            Requests.Add(request);
            var reply = new TaskCompletionSource<EnterReply>();
            _pending.Enqueue((request, reply));
            MostAtOnce = Math.Max(MostAtOnce, _pending.Count);
            return new(reply.Task);
        }
    }

    /// <summary>Answers the oldest request.</summary>
    public void Reply(EnterStatus status, long? mark = null)
    {
        var (request, reply) = Next();
        reply.SetResult(new EnterReply(status, mark is { } m ? new FencingToken(m) : request.Token));
    }

    /// <summary>The reply to the oldest request is lost.</summary>
    public void Fail() => Next().Reply.SetException(new TokenStoreUnavailableException("lost"));

    /// <summary>The oldest request is refused before anything was put down.</summary>
    public void Refuse() => Next().Reply.SetException(new TokenStoreUnavailableException("full") { NotTaken = true });

    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) => default;

    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken) =>
        new((IReadOnlyList<MarkRecord>)[]);

    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken) => new(true);

    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) => new(0);

    public ValueTask DisposeAsync() => default;

    private (EnterRequest Request, TaskCompletionSource<EnterReply> Reply) Next()
    {
        lock (_pending)
        {
            return _pending.Dequeue();
        }
    }
}
