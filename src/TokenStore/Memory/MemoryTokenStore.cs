namespace FenceGateway.TokenStore.Memory;

/// <summary>
/// Marks in memory and nowhere else: the pure state machine of a resource under a lock. For tests and first steps; it
/// forgets everything when the process ends, and then admits tokens that were stale before.
/// </summary>
/// <remarks>Several stores in one process can share their <see cref="MemoryMarks"/>, each with sessions of its own, as
/// gateways share a server. One that shares them with nobody has a session that never ends.</remarks>
public sealed class MemoryTokenStore : ITokenStore
{
    private readonly MemoryMarks _marks;
    private readonly ILogger _logger;
    private readonly bool _shared;
    private volatile string? _fault = "The token store is not open.";

    /// <summary>Makes an empty store that shares its marks with nobody.</summary>
    public MemoryTokenStore(
        TimeProvider clock, ILogger<MemoryTokenStore> logger, int maxResources = MemoryMarks.DefaultMaxResources)
        : this(new MemoryMarks(clock, maxResources), logger) => _shared = false;

    /// <summary>Makes a store on marks that others may use at the same time.</summary>
    public MemoryTokenStore(MemoryMarks marks, ILogger<MemoryTokenStore> logger)
    {
        _marks = marks;
        _logger = logger;
        _shared = true;
    }

    /// <inheritdoc/>
    public TokenStoreInfo Info { get; } = new("Memory", SafetyGrade.Volatile, "this process");

    /// <inheritdoc/>
    public string? Fault => _fault;

    /// <inheritdoc/>
    public event Action<ResourceChange>? Changed;

    /// <inheritdoc/>
    public ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        _fault = null;
        _marks.Attach(this);
        MemoryLog.Forgets(_logger);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        ThrowIfFaulted();
        var granted = _shared ? timeToLive : Timeout.InfiniteTimeSpan;
        _marks.StartSession(session, granted);
        return ValueTask.FromResult(granted);
    }

    /// <inheritdoc/>
    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        return ValueTask.FromResult(_marks.Beat(session));
    }

    /// <inheritdoc/>
    public ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        _marks.EndSession(session, isClean);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public long PeekMark(ResourceKey resource) => _marks.Find(resource)?.Mark ?? 0;

    /// <inheritdoc/>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(in request);
        ThrowIfFaulted();
        return ValueTask.FromResult(_marks.Enter(in request));
    }

    /// <inheritdoc/>
    public ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        _marks.Withdraw(session, registrations);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        return ValueTask.FromResult(_marks.Find(resource));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        MarkQuery.ThrowIfInvalid(in query);
        ThrowIfFaulted();
        return ValueTask.FromResult(_marks.List(query));
    }

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        return ValueTask.FromResult(_marks.Count());
    }

    /// <inheritdoc/>
    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);
        ThrowIfFaulted();
        return ValueTask.FromResult(_marks.SetMark(request));
    }

    /// <inheritdoc/>
    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        return ValueTask.FromResult(_marks.Resolve(resource));
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _fault = "The token store is closed.";
        _marks.Detach(this);
        return ValueTask.CompletedTask;
    }

    internal void Tell(ResourceChange change) => Changed?.Invoke(change);

    private void ThrowIfFaulted()
    {
        if (_fault is { } fault)
        {
            throw TokenStoreUnavailableException.NothingTaken(fault);
        }
    }
}
