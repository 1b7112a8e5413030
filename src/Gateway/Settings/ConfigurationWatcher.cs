using System.Runtime.InteropServices;
using System.Threading.Channels;
using FenceGateway.Gateway.Listeners;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// Reloads the configuration when its file changes or SIGHUP arrives. Watches the folder, not the file: editors and
/// deployments replace a file by renaming another one over it or by turning a symbolic link. A slow poll lies
/// underneath, since notifications are lost on network and bind mounts. Certificates, which may lie in any folder, are
/// looked at as often.
/// </summary>
internal sealed partial class ConfigurationWatcher(
    LastGoodConfiguration configuration, ServerCertificates certificates, TimeProvider time,
    ILogger<ConfigurationWatcher> logger)
    : BackgroundService
{
    /// <summary>Changes come in bursts; a reload waits until they have been quiet for so long.</summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(200);

    public static readonly TimeSpan Poll = TimeSpan.FromSeconds(10);

    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private int _forced;

    /// <summary>The next reload happens soon, and whether or not the file has changed.</summary>
    public void Force()
    {
        Interlocked.Exchange(ref _forced, 1);
        _changes.Writer.TryWrite(true);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var watcher = Watch();
        using var hangup = OperatingSystem.IsWindows()
            ? null
            : PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnHangup);
        using var poll = time.CreateTimer(_ => _changes.Writer.TryWrite(true), null, Poll, Poll);
        configuration.LogWarnings(logger);
        // The file may have changed between the start of the process and the start of the watch.
        _changes.Writer.TryWrite(true);
        try
        {
            await foreach (var _ in _changes.Reader.ReadAllAsync(stoppingToken))
            {
                await SettleAsync(stoppingToken);
                await ReloadAsync(forced: Interlocked.Exchange(ref _forced, 0) == 1, stoppingToken);
                certificates.Look();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        // Bounded: a file that never comes to rest is read all the same.
        for (var i = 0; i < 10; i++)
        {
            await Task.Delay(Quiet, time, cancellationToken);
            if (!_changes.Reader.TryRead(out _))
            {
                return;
            }
        }
    }

    private async Task ReloadAsync(bool forced, CancellationToken cancellationToken)
    {
        try
        {
            await configuration.ReloadAsync(logger, onlyIfChanged: !forced, cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // One listener's fault must not end the watch.
            Log.Failed(logger, configuration.File, e);
        }
    }

    private FileSystemWatcher? Watch()
    {
        try
        {
            var watcher =
                new FileSystemWatcher(Path.GetDirectoryName(configuration.File)!) { EnableRaisingEvents = true };
            watcher.Changed += OnChange;
            watcher.Created += OnChange;
            watcher.Deleted += OnChange;
            watcher.Renamed += OnChange;
            return watcher;
        }
        catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
        {
            Log.PollOnly(logger, configuration.File, (int)Poll.TotalSeconds, e);
            return null;
        }
    }

    private void OnChange(object sender, FileSystemEventArgs change) => _changes.Writer.TryWrite(true);

    private void OnHangup(PosixSignalContext signal)
    {
        // Without this the process would end.
        signal.Cancel = true;
        Force();
    }

    private static partial class Log
    {
        [LoggerMessage(1104, LogLevel.Error, "Reloading configuration {file} failed.")]
        public static partial void Failed(ILogger logger, string file, Exception exception);

        [LoggerMessage(1105, LogLevel.Warning, "Changes of {file} are noticed only every {seconds} s: its folder "
            + "cannot be watched.")]
        public static partial void PollOnly(ILogger logger, string file, int seconds, Exception exception);
    }
}
