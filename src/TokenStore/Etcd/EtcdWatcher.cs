using FenceGateway.TokenStore.Etcd.Wire;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// Watches every key of the prefix, from the revision after the last one seen, so that nothing is missed while the
/// connection is away. It keeps the cache fresh, notes which sessions are gone, and tells of revocations. All of it are
/// hints.
/// </summary>
internal sealed class EtcdWatcher(
    EtcdClient client, EtcdCalls etcd, EtcdChanges changes, string location, TimeProvider clock,
    ILogger logger) : IAsyncDisposable
{
    /// <summary>The first word of a watch comes at once: that it was made.</summary>
    private static readonly TimeSpan LongestOpening = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Without a word for so long the watch is begun again. When nothing happens etcd tells every 10 minutes how far it
    /// is (<c>--experimental-watch-progress-notify-interval</c>).
    /// </summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromMinutes(12);

    private static readonly TimeSpan MinPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(3);

    private readonly CancellationTokenSource _end = new();
    private readonly Lock _gate = new();
    private Task? _loop;
    private long _next;

    /// <summary>Watches from <paramref name="revision"/> on; does nothing when it watches already.</summary>
    public void Start(long revision)
    {
        lock (_gate)
        {
            if (_loop is null)
            {
                _next = revision;
                _loop = Task.Run(() => RunAsync(_end.Token));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        if (_loop is not null)
        {
            await _loop;
        }

        _end.Dispose();
    }

    private async Task RunAsync(CancellationToken end)
    {
        var (pause, broken) = (MinPause, false);
        while (!end.IsCancellationRequested)
        {
            try
            {
                await WatchAsync(() => (pause, broken) = Resumed(broken), end);
            }
            catch (Exception) when (end.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                if (!broken)
                {
                    EtcdLog.WatchBroken(logger, location, e.Message);
                    broken = true;
                }
            }

            if (broken)
            {
                await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), clock, end)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                pause = pause * 2 < MaxPause ? pause * 2 : MaxPause;
            }
        }
    }

    private (TimeSpan Pause, bool Broken) Resumed(bool broken)
    {
        if (broken)
        {
            EtcdLog.WatchResumed(logger, location, _next);
        }

        return (MinPause, false);
    }

    /// <summary>Follows one watch until it ends, is silent for too long, or asks for a new beginning.</summary>
    private async Task WatchAsync(Action resumed, CancellationToken end)
    {
        using var silence = new CancellationTokenSource(LongestOpening, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, end);
        var all = etcd.Keys.All;
        var request =
            new WatchCreateRequest
            { Key = all, RangeEnd = EtcdKeys.EndOf(all), StartRevision = _next, ProgressNotify = true };
        await foreach (var reply in client.WatchAsync(request, either.Token))
        {
            silence.CancelAfter(LongestSilence);
            resumed();
            if (!await HandleAsync(reply, end))
            {
                return;
            }
        }

        throw new EtcdException("etcd ended the watch.", notTaken: true);
    }

    /// <summary>Takes one message; false when the watch has to begin again.</summary>
    private async Task<bool> HandleAsync(WatchResponse reply, CancellationToken end)
    {
        if (reply.CompactRevision > 0)
        {
            EtcdLog.Compacted(logger, location, _next);
            _next = await changes.ReadAnewAsync(end) + 1;
            return false;
        }

        if (reply.Canceled || reply.Header is null)
        {
            throw new EtcdException($"etcd ended the watch: {reply.CancelReason}", notTaken: true);
        }

        if (!reply.Created && reply.Events.Count == 0)
        {
            // Nothing happened, and what did up to here was told: it may be compacted, also where nothing concerns the
            // prefix for long.
            _next = Math.Max(_next, reply.Header.Revision + 1);
        }

        foreach (var change in reply.Events.Where(e => e.Kv is not null))
        {
            changes.Take(change);
            _next = Math.Max(_next, change.Kv.ModRevision + 1);
        }

        return true;
    }
}
