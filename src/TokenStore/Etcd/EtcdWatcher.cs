using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// Watches every key of the prefix, from the revision after the last one seen, so that nothing is missed while the connection is
/// away. It keeps the cache fresh, notes which sessions are gone, and tells of revocations. All of it are hints.
/// </summary>
internal sealed class EtcdWatcher(
    EtcdClient client, EtcdCalls etcd, EtcdChanges changes, string location, TimeProvider clock, ILogger logger) : IAsyncDisposable
{
    /// <summary>The longest line taken: many events come in one.</summary>
    private const int MaxLineBytes = 16 << 20;

    /// <summary>How often it is looked whether calls have failed since the watch began: its member may hang as well.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    /// <summary>Without a word for so long the watch is begun again. When nothing happens etcd tells every 10 minutes how far it is
    /// (<c>--experimental-watch-progress-notify-interval</c>).</summary>
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

    /// <summary>Follows one stream until it ends, is silent for too long, or asks for a new beginning.</summary>
    private async Task WatchAsync(Action resumed, CancellationToken end)
    {
        using var idle = CancellationTokenSource.CreateLinkedTokenSource(end);
        var (failures, heardAt) = (client.Failures, clock.GetTimestamp());
        await using var looking = clock.CreateTimer(_ => Look(), null, LookEvery, LookEvery);
        try
        {
            var request = new EtcdWatch(new EtcdWatchCreate(etcd.Keys.All, EtcdKeys.EndOf(etcd.Keys.All), _next, ProgressNotify: true));
            using var response = await client.OpenStreamAsync("/v3/watch", request, EtcdJson.Default.EtcdWatch, idle.Token);
            await using var body = await response.Content.ReadAsStreamAsync(idle.Token);
            var reader = PipeReader.Create(body);
            while (await ReadLineAsync(reader, idle.Token) is { } line)
            {
                Volatile.Write(ref heardAt, clock.GetTimestamp());
                resumed();
                if (!await HandleAsync(line, end))
                {
                    return;
                }
            }

            throw new EtcdException("The watch's connection was closed.", 0, notTaken: true);
        }
        catch (Exception e) when (
            e is OperationCanceledException or EtcdException && idle.IsCancellationRequested && !end.IsCancellationRequested)
        {
            // Silence: begin again, from where it was.
        }

        void Look()
        {
            if (client.Failures != failures || clock.GetElapsedTime(Volatile.Read(ref heardAt)) > LongestSilence)
            {
                idle.Cancel();
            }
        }
    }

    /// <summary>Takes one message; false when the watch has to begin again.</summary>
    private async Task<bool> HandleAsync(ReadOnlySequence<byte> line, CancellationToken end)
    {
        var reader = new Utf8JsonReader(line);
        var message = JsonSerializer.Deserialize(ref reader, EtcdJson.Default.EtcdStreamEtcdWatchReply);
        if (message?.Result is not { Header: not null } reply)
        {
            throw new EtcdException(message?.Error?.Message ?? "The watch answered with something that makes no sense.", 0, notTaken: true);
        }

        if (reply.CompactRevision > 0)
        {
            EtcdLog.Compacted(logger, location, _next);
            _next = await changes.ReadAnewAsync(end) + 1;
            return false;
        }

        if (reply.Canceled)
        {
            throw new EtcdException($"etcd ended the watch: {reply.CancelReason}", 0, notTaken: true);
        }

        if (reply.IsProgress)
        {
            // What is compacted from here on was seen, also where nothing concerns the prefix for long.
            _next = Math.Max(_next, reply.Header.Revision + 1);
        }

        foreach (var change in reply.Events ?? [])
        {
            if (change is { Kv.Key: not null })
            {
                changes.Take(change);
                _next = Math.Max(_next, change.Kv.ModRevision + 1);
            }
        }

        return true;
    }

    /// <summary>The next line, copied out of the reader; null at the end of the stream.</summary>
    private static async Task<ReadOnlySequence<byte>?> ReadLineAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            if (read.Buffer.PositionOf((byte)'\n') is { } newline)
            {
                var line = read.Buffer.Slice(0, newline).ToArray();
                reader.AdvanceTo(read.Buffer.GetPosition(1, newline));
                return new ReadOnlySequence<byte>(line);
            }

            if (read.IsCompleted)
            {
                return null;
            }

            if (read.Buffer.Length > MaxLineBytes)
            {
                throw new EtcdException("The watch sent a line without an end.", 0, notTaken: true);
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
