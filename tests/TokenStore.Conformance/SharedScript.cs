using System.Collections.Concurrent;
using FenceGateway.Fencing;
using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Conformance;

/// <summary>
/// A shared store whose every reply a test gives by hand, or that fails on demand. Sessions live five seconds.
/// </summary>
public sealed class SharedScript : ITokenStore
{
    public static readonly TimeSpan TimeToLive = TimeSpan.FromSeconds(5);

    private readonly ConcurrentQueue<TaskCompletionSource<EnterReply>> _enters = new();

    public ConcurrentQueue<EnterRequest> Entered { get; } = new();

    public ConcurrentQueue<(string Session, IReadOnlyList<Registration> Registrations)> Withdrawn { get; } = new();

    public ConcurrentQueue<string> Started { get; } = new();

    public ConcurrentQueue<(string Session, bool Quiet)> Ended { get; } = new();

    public int Heartbeats => _heartbeats;

    /// <summary>What every call but Enter throws; null while the store is there.</summary>
    public Exception? Away { get; set; }

    /// <summary>What the next withdrawals throw.</summary>
    public Exception? WithdrawFault { get; set; }

    /// <summary>What withdrawals wait for.</summary>
    public Task WithdrawGate { get; set; } = Task.CompletedTask;

    /// <summary>The answer to heartbeats; a task that a test completes when it likes.</summary>
    public Func<Task<Heartbeat>> Heartbeat { get; set; } = () => Task.FromResult(new Heartbeat(true, []));

    /// <summary>The answer to an operator.</summary>
    public bool SetMark { get; set; } = true;

    public SafetyGrade Grade { get; set; } = SafetyGrade.Strict;

    public bool IsDisposed { get; private set; }

    public TokenStoreInfo Info =>
        new("Script", Grade, "a test", Grade == SafetyGrade.Strict ? [] : ["its settings are weak: change them"]);

    public string? Fault => null;

    public event Action<ResourceChange>? Changed;

    public void Tell(ResourceChange change) => Changed?.Invoke(change);

    private int _heartbeats;

    public ValueTask OpenAsync(CancellationToken cancellationToken) => Or(ValueTask.CompletedTask);

    public ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        if (Away is null)
        {
            Started.Enqueue(session);
        }

        return Or(TimeToLive);
    }

    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _heartbeats);
        return Away is { } fault ? ValueTask.FromException<Heartbeat>(fault) : new(Heartbeat());
    }

    public ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken)
    {
        Ended.Enqueue((session, isClean));
        return Or(ValueTask.CompletedTask);
    }

    public long PeekMark(ResourceKey resource) => 0;

    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        var reply = new TaskCompletionSource<EnterReply>();
        _enters.Enqueue(reply);
        Entered.Enqueue(request);
        return new(reply.Task);
    }

    public async ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
    {
        Withdrawn.Enqueue((session, registrations));
        await WithdrawGate;
        if (WithdrawFault is { } fault)
        {
            throw fault;
        }
    }

    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        Or<MarkRecord?>(null);

    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken) =>
        Or<IReadOnlyList<MarkRecord>>([]);

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => Or(0L);

    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken) => Or(SetMark);

    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) => Or(0);

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        return default;
    }

    /// <summary>Answers the oldest Enter, once there is one.</summary>
    public async Task ReplyAsync(
        EnterStatus status, long mark, bool heldElsewhere = false, TimeSpan retryAfter = default) =>
        (await NextAsync()).SetResult(new EnterReply(status, new FencingToken(mark), retryAfter, heldElsewhere));

    /// <summary>The oldest Enter ends in a failure.</summary>
    public async Task FailAsync(bool notTaken = false, bool sessionEnded = false) => (await NextAsync()).SetException(
        new TokenStoreUnavailableException("lost")
        { NotTaken = notTaken || sessionEnded, SessionEnded = sessionEnded });

    /// <summary>Waits for something that another thread is about to do.</summary>
    public static Task EventuallyAsync(Func<bool> condition, string what) => Eventually.IsSoAsync(condition, what);

    private async Task<TaskCompletionSource<EnterReply>> NextAsync()
    {
        TaskCompletionSource<EnterReply>? next = null;
        await EventuallyAsync(() => _enters.TryDequeue(out next), "the store is asked");
        return next!;
    }

    private ValueTask Or(ValueTask done) => Away is { } fault ? ValueTask.FromException(fault) : done;

    private ValueTask<T> Or<T>(T answer) => Away is { } fault ? ValueTask.FromException<T>(fault) : new(answer);
}
