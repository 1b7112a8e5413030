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

    private const string Session = "local";

    private readonly ConcurrentDictionary<ResourceKey, Resource> _resources = new();
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly int _maxResources;
    private long _sequence;
    private int _count;
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
    public long Count => Volatile.Read(ref _count);

    /// <inheritdoc/>
    public TimeSpan? SinceCrash => null;

    /// <inheritdoc/>
    public ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        _fault = null;
        MemoryLog.Forgets(_logger);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public long PeekMark(ResourceKey resource) => Read(resource)?.Mark ?? 0;

    /// <inheritdoc/>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        if (request.Resource.Value is null || request.Token.Value < 1 || request.Oldest.Value < 1)
        {
            throw new ArgumentException("A request needs a resource, a token and the oldest token in flight.", nameof(request));
        }

        var resource = GetOrAdd(request.Resource);
        lock (resource.Gate)
        {
            var before = resource.State.Mark;
            var status = resource.State.Enter(Session, request.Token.Value, request.Oldest.Value, _clock.GetTimestamp());
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
        ArgumentOutOfRangeException.ThrowIfLessThan(query.Limit, 1, nameof(query));
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
    public ValueTask SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Mark < 0
            || request.Reason.Length > SetMarkRequest.MaxTextLength || request.Actor.Length > SetMarkRequest.MaxTextLength)
        {
            throw new ArgumentException("A mark is 0 or greater, reason and actor have a bounded length.", nameof(request));
        }

        var resource = GetOrAdd(request.Resource);
        lock (resource.Gate)
        {
            // The caller vouches that nothing is in flight, which is what a withdrawal says.
            resource.State.Withdraw(Session);
            resource.State.TrySetMark(request.Mark, _clock.GetTimestamp());
            TouchLocked(resource);
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<bool> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) => ValueTask.FromResult(false);

    /// <inheritdoc/>
    public ValueTask CloseAsync(bool quiet, CancellationToken cancellationToken) => DisposeAsync();

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
            return resource.Sequence == 0 ? null : new MarkRecord(key, resource.State.Mark, resource.ChangedAt, resource.Sequence);
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
