using System.Collections.Concurrent;
using FenceGateway.Fencing;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Memory;

/// <summary>
/// Marks in memory and nowhere else: the pure state machine of a resource under a lock. For tests and first steps; it forgets
/// everything when the process ends, and then admits tokens that were stale before.
/// </summary>
public sealed class MemoryTokenStore : ITokenStore
{
    /// <summary>Resources that may have a mark; a new one beyond that is refused.</summary>
    public const int DefaultMaxResources = 1_000_000;

    private readonly ConcurrentDictionary<ResourceKey, Resource> _resources = new();
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly int _maxResources;
    private long _sequence;
    private int _count;
    private volatile string? _session;
    private volatile string? _fault = "The token store is not open.";

    /// <summary>Makes an empty store.</summary>
    public MemoryTokenStore(TimeProvider clock, ILogger<MemoryTokenStore> logger, int maxResources = DefaultMaxResources)
    {
        _clock = clock;
        _logger = logger;
        _maxResources = maxResources;
    }

    /// <inheritdoc/>
    public TokenStoreInfo Info { get; } = new("Memory", SafetyGrade.Volatile, "this process");

    /// <inheritdoc/>
    public string? Fault => _fault;

    /// <inheritdoc/>
    public Action<ResourceChange>? Changed { get; set; }

    /// <inheritdoc/>
    public ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        _fault = null;
        MemoryLog.Forgets(_logger);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<TimeSpan> StartSessionAsync(string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        _session = session;
        return ValueTask.FromResult(Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) =>
        ValueTask.FromResult(session == _session ? new Heartbeat(true, []) : Heartbeat.Ended);

    /// <inheritdoc/>
    public ValueTask EndSessionAsync(string session, bool quiet, CancellationToken cancellationToken) => DisposeAsync();

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => ValueTask.FromResult<long>(Volatile.Read(ref _count));

    /// <inheritdoc/>
    public ValueTask WithdrawAsync(string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        foreach (var registration in registrations)
        {
            if (_resources.TryGetValue(registration.Resource, out var resource))
            {
                lock (resource.Gate)
                {
                    resource.State.Withdraw(session);
                }
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public long PeekMark(ResourceKey resource) => Read(resource)?.Mark ?? 0;

    /// <inheritdoc/>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(in request);
        ThrowIfFaulted();
        if (request.Session != _session)
        {
            throw TokenStoreUnavailableException.ForEndedSession(request.Session);
        }

        var resource = GetOrAdd(request.Resource);
        lock (resource.Gate)
        {
            var before = resource.State.Mark;
            var status = resource.State.Enter(request.Session, request.Token.Value, request.Oldest.Value, _clock.GetTimestamp());
            if (resource.State.Mark != before)
            {
                TouchLocked(resource);
            }

            return ValueTask.FromResult(new EnterReply(status, new FencingToken(resource.State.Mark)));
        }
    }

    /// <inheritdoc/>
    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        return ValueTask.FromResult(Read(resource));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        ThrowIfFaulted();
        MarkQuery.ThrowIfInvalid(in query);
        IReadOnlyList<MarkRecord> page =
        [
            .. _resources.Keys
                .Where(key => key.Value.StartsWith(query.Prefix, StringComparison.Ordinal))
                .Select(Read)
                .OfType<MarkRecord>()
                .Where(record => record.Sequence < query.Before)
                .OrderByDescending(record => record.Sequence)
                .Take(query.Limit),
        ];
        return ValueTask.FromResult(page);
    }

    /// <inheritdoc/>
    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);
        var resource = GetOrAdd(request.Resource);
        lock (resource.Gate)
        {
            // The caller vouches that nothing is in flight, which is what a withdrawal says.
            resource.State.Withdraw(request.Session);
            resource.State.TrySetMark(request.Mark, _clock.GetTimestamp());
            TouchLocked(resource);
        }

        return ValueTask.FromResult(true);
    }

    /// <inheritdoc/>
    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) => ValueTask.FromResult(0);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _fault = "The token store is closed.";
        return ValueTask.CompletedTask;
    }

    private MarkRecord? Read(ResourceKey key)
    {
        if (!_resources.TryGetValue(key, out var resource))
        {
            return null;
        }

        lock (resource.Gate)
        {
            return resource.Sequence == 0 ? null : new MarkRecord(key, resource.State.Mark, resource.ChangedAt, resource.Sequence, []);
        }
    }

    private Resource GetOrAdd(ResourceKey key)
    {
        ThrowIfFaulted();
        if (_resources.TryGetValue(key, out var known))
        {
            return known;
        }

        if (Interlocked.Increment(ref _count) > _maxResources)
        {
            Interlocked.Decrement(ref _count);
            throw new TokenStoreUnavailableException($"The token store is full: {_maxResources} resources have a mark.")
            {
                NotTaken = true,
            };
        }

        var added = new Resource();
        var winner = _resources.GetOrAdd(key, added);
        if (winner != added)
        {
            Interlocked.Decrement(ref _count);
        }

        return winner;
    }

    private void TouchLocked(Resource resource)
    {
        resource.Sequence = Interlocked.Increment(ref _sequence);
        resource.ChangedAt = _clock.GetUtcNow();
    }

    private void ThrowIfFaulted()
    {
        if (_fault is { } fault)
        {
            throw new TokenStoreUnavailableException(fault);
        }
    }

    private sealed class Resource
    {
        public Lock Gate { get; } = new();

        public ResourceState State { get; } = new();

        public long Sequence { get; set; }

        public DateTimeOffset ChangedAt { get; set; }
    }
}
