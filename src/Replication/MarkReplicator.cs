using FenceGateway.TokenStore;
using Microsoft.Extensions.Logging;
namespace FenceGateway.Replication;

/// <summary>
/// Takes over the marks of another region by maximum, one region each: reads what changed there and raises the marks
/// here. Weaker than one store: a stale holder is stopped here once its successor's mark has arrived, and nothing waits
/// for its writes.
/// </summary>
/// <remarks>
/// The region's store is opened for reading only, and no mark is ever lowered. A round reads the newest marks, back to
/// what the rounds before have certainly seen (<see cref="ReplicationBound"/>), and a slice of a sweep over all of
/// them.
/// </remarks>
public sealed class MarkReplicator : IAsyncDisposable
{
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(30);

    private readonly string _region;
    private readonly ITokenStore _remote;
    private readonly MarkReplicatorOptions _options;
    private readonly MarkMerger _merger;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ReplicationBound _bound;
    private readonly MarkSweep _sweep;
    private bool _open;
    private volatile string? _fault;
    private long _completeAt;

    /// <summary>Makes it; nothing is read before <see cref="RunAsync"/>.</summary>
    /// <param name="region">The region's name.</param>
    /// <param name="remote">Its store; owned from now on.</param>
    /// <param name="fences">This gateway's fences.</param>
    /// <param name="own">This gateway's session, to read its own store.</param>
    /// <param name="options">Read once.</param>
    /// <param name="time">Its monotonic clock counts the intervals.</param>
    /// <param name="logger">Where it reports.</param>
    /// <param name="metrics">Shared by all regions.</param>
    public MarkReplicator(
        string region,
        ITokenStore remote,
        FenceTable fences,
        StoreClient own,
        MarkReplicatorOptions options,
        TimeProvider time,
        ILogger<MarkReplicator> logger,
        ReplicationMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(metrics);
        _region = region;
        _remote = remote;
        _options = options;
        _time = time;
        _logger = logger;
        _merger = new MarkMerger(region, fences, own, options, metrics);
        _bound = new ReplicationBound(time, options.Overlap);
        _sweep = new MarkSweep(time, options.SweepInterval, options.Overlap);
        _completeAt = time.GetTimestamp();
        metrics.Watch(region, () => time.GetElapsedTime(Volatile.Read(ref _completeAt)));
    }

    /// <summary>How it stands with the region, from memory.</summary>
    public RegionStatus Status =>
        new(_region, _remote.Info, _time.GetElapsedTime(Volatile.Read(ref _completeAt)), _fault);

    /// <summary>Reads and merges, round by round, until it is cancelled. Never throws.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var failures = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await RoundAsync(cancellationToken);
                failures = 0;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Whatever it was: this region is not to be read now, and the gateway goes on without.
                failures++;
                Failed(e);
            }

            // It doubles with each failure in a row.
            var interval = _options.Interval.Ticks;
            var pause = TimeSpan.FromTicks(
                Math.Min(interval << Math.Min(failures, 5), Math.Max(LongestBackoff.Ticks, interval)));
            await Task.Delay(pause * (0.75 + Random.Shared.NextDouble() / 2), _time, cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _remote.DisposeAsync();

    private async Task RoundAsync(CancellationToken cancellationToken)
    {
        var begun = _time.GetTimestamp();
        if (!_open)
        {
            await BoundedAsync(async token =>
            {
                await _remote.OpenAsync(token);
                return true;
            }, cancellationToken);
            _open = true;
        }

        if (_merger.SessionIsNew())
        {
            _merger.Forget();
            _sweep.Restart();
        }

        var complete = await ReadNewestAsync(begun, cancellationToken);
        await SweepAsync(cancellationToken);
        _fault = null;
        if (complete && !_sweep.IsOwed)
        {
            Volatile.Write(ref _completeAt, begun);
        }
    }

    /// <summary>Merges what is new since the rounds before; false when that was more than one round takes.</summary>
    private async Task<bool> ReadNewestAsync(long begun, CancellationToken cancellationToken)
    {
        // Before there is a bound, the sweep reads everything.
        var (top, before, pages) = (0L, long.MaxValue, _bound.Value == 0 ? 2 : _options.MaxPages);
        for (var page = 0; page < pages; page++)
        {
            var records = await ListAsync(
                before, page == 0 ? Math.Min(100, _options.PageSize) : _options.PageSize, cancellationToken);
            if (page == 0)
            {
                top = records.Count == 0 ? 0 : records[0].Sequence;
                Reached(top);
            }

            var known = _bound.Value;
            await _merger.MergeAsync(records.Where(r => r.Sequence > known), cancellationToken);
            if (records.Count == 0 || records[^1].Sequence <= known)
            {
                _bound.Completed(begun, top);
                return true;
            }

            before = MarkSweep.Next(before, records);
        }

        if (_bound.Value > 0)
        {
            // What lies between here and the bound is the sweep's: it goes down from here through all of it.
            ReplicationLog.Behind(_logger, _region, _options.MaxPages * _options.PageSize);
            _sweep.BeginFrom(before);
        }

        _bound.Completed(begun, top);
        return !_sweep.IsOwed;
    }

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        // At leisure when it only looks for what the rounds have missed, faster when marks are known to be missing.
        for (var page = 0; _sweep.IsDue && page < (_sweep.IsOwed ? 4 : 1); page++)
        {
            if (_sweep.IsAtItsBegin)
            {
                // What was taken over once may be gone here since: an operator's, or with the own store's data.
                _merger.Forget();
            }

            var limit = _sweep.IsOwed ? _options.PageSize : Math.Min(200, _options.PageSize);
            var records = await ListAsync(_sweep.Before, limit, cancellationToken);
            await _merger.MergeAsync(records, cancellationToken);
            var owed = _sweep.IsOwed;
            if (_sweep.Took(records) && owed)
            {
                ReplicationLog.Swept(_logger, _region, _merger.Merged);
            }
        }
    }

    private void Reached(long top)
    {
        if (_fault is not null || _bound.IsNew)
        {
            ReplicationLog.Reached(_logger, _region, _remote.Info.Provider, _remote.Info.Location);
        }

        if (top < _bound.Highest)
        {
            ReplicationLog.WentBack(_logger, _region, _bound.Highest, top);
            _bound.Reset();
            _sweep.BeginFrom(long.MaxValue);
        }
    }

    private Task<IReadOnlyList<MarkRecord>> ListAsync(long before, int limit, CancellationToken cancellationToken) =>
        BoundedAsync(token => _remote.ListAsync(new MarkQuery("", before, limit), token).AsTask(), cancellationToken);

    private async Task<T> BoundedAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var bound = new CancellationTokenSource(_options.CallTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, cancellationToken);
        try
        {
            // The wait ends at the bound even where the store's driver does not.
            return await call(either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException e) when (
            bound.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TokenStoreUnavailableException($"It did not answer within {_options.CallTimeout}.", e);
        }
    }

    private void Failed(Exception e)
    {
        if (e is MergeFailedException)
        {
            if (_fault != e.Message)
            {
                ReplicationLog.OwnStoreAway(_logger, _region, e.Message);
            }
        }
        else
        {
            _open = false;
            if (_fault is null)
            {
                ReplicationLog.Away(_logger, _region, e.Message);
            }
        }

        _fault = e.Message;
    }
}

/// <summary>How it stands with another region.</summary>
/// <param name="Region">Its name.</param>
/// <param name="Store">Its store, as it was when it was last opened.</param>
/// <param name="Lag">How old what is known of it may be: since the begin of the last round that saw all that was
/// new.</param>
/// <param name="Fault">Why its marks are not taken over now, as a sentence; null while they are.</param>
public sealed record RegionStatus(string Region, TokenStoreInfo Store, TimeSpan Lag, string? Fault);
