using FenceGateway.Fencing;
using FenceGateway.TokenStore;

namespace FenceGateway.Replication.Tests;

/// <summary>
/// Another region's store, as one that only reads sees it: a test puts marks into it, in whatever order they commit.
/// </summary>
internal sealed class RegionScript : ITokenStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, MarkRecord> _marks = new(StringComparer.Ordinal);
    private int _lists;

    /// <summary>What every call throws; null while the region is there.</summary>
    public Exception? Away { get; set; }

    /// <summary>The longest page that was asked for.</summary>
    public int LongestPage { get; private set; }

    /// <summary>Dates <see cref="LastList"/>.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>When a page was last asked for.</summary>
    public long LastList { get; private set; }

    public int Lists => Volatile.Read(ref _lists);

    public TokenStoreInfo Info { get; } = new("Script", SafetyGrade.Strict, "another region");

    public string? Fault => null;

    public event Action<ResourceChange>? Changed
    {
        add { }
        remove { }
    }

    public void Put(string resource, long mark, long sequence)
    {
        ResourceKey.TryCreate(resource, out var key).ShouldBeTrue();
        lock (_gate)
        {
            _marks[resource] = new MarkRecord(key, mark, default, sequence, []);
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            _marks.Clear();
        }
    }

    public ValueTask OpenAsync(CancellationToken cancellationToken) =>
        Away is { } fault ? ValueTask.FromException(fault) : default;

    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        if (Away is { } fault)
        {
            return ValueTask.FromException<IReadOnlyList<MarkRecord>>(fault);
        }

        lock (_gate)
        {
            _ = Interlocked.Increment(ref _lists);
            LastList = Time.GetTimestamp();
            LongestPage = Math.Max(LongestPage, query.Limit);
            return new(
                [.. _marks.Values.Where(m => m.Sequence < query.Before).OrderByDescending(m => m.Sequence).Take(query.Limit)]);
        }
    }

    public ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken) => throw OnlyRead();

    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) => throw OnlyRead();

    public ValueTask EndSessionAsync(
        string session, bool isClean, CancellationToken cancellationToken) => throw OnlyRead();

    public long PeekMark(ResourceKey resource) => throw OnlyRead();

    public ValueTask<EnterReply> EnterAsync(
        EnterRequest request, CancellationToken cancellationToken) => throw OnlyRead();

    public ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) =>
        throw OnlyRead();

    public ValueTask<MarkRecord?> FindAsync(
        ResourceKey resource, CancellationToken cancellationToken) => throw OnlyRead();

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => throw OnlyRead();

    public ValueTask<bool> SetMarkAsync(
        SetMarkRequest request, CancellationToken cancellationToken) => throw OnlyRead();

    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) => throw OnlyRead();

    public ValueTask DisposeAsync() => default;

    private static InvalidOperationException OnlyRead() => new("Another region's store is only read.");
}
