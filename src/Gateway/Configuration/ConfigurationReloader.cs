using System.Runtime.InteropServices;
using FenceGateway.Gateway.Fencing;

namespace FenceGateway.Gateway.Configuration;

/// <summary>What became of the last reload.</summary>
/// <param name="At">When.</param>
/// <param name="Error">Why it was refused; null when it was taken.</param>
internal sealed record ReloadResult(DateTimeOffset At, string? Error);

/// <summary>
/// Watches the configuration file and takes over what it says when, and only when, the whole of it is good: policies first, then
/// routes. Looks at the file's time and length twice a second, which sees every way in which files get replaced, symbolic links
/// included; SIGHUP looks at once.
/// </summary>
internal sealed class ConfigurationReloader(
    GatewaySettings settings,
    LastGoodConfiguration lastGood,
    FencingPolicyRegistry policies,
    FencedClusters fencedClusters,
    TimeProvider time,
    ILogger<ConfigurationReloader> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    /// <summary>Keys that are read once, at start.</summary>
    private static readonly string[] FixedSections =
    [
        "Urls", "Kestrel", "Serilog", "FenceGateway:Admin", "FenceGateway:TokenStore", "FenceGateway:Shutdown", "FenceGateway:Requests",
    ];

    private readonly Lock _gate = new();
    private readonly (DateTime Written, long Length) _initial = Stamp(settings.File);
    private IConfigurationRoot _current = settings.Combine(lastGood.Snapshot());

    public ReloadResult? LastResult { get; private set; }

    /// <summary>Reads the file now and takes it over if it is good. Whether it was.</summary>
    public bool Reload()
    {
        lock (_gate)
        {
            try
            {
                var content = JsonConfigurationFile.Read(settings.File);
                var candidate = settings.Combine(content);
                var configuration = GatewayConfiguration.Parse(candidate);
                WarnOfFixedChanges(candidate);
                policies.Update([.. configuration.Policies.Values]);
                fencedClusters.Update(configuration.Routes);
                lastGood.Publish(content);
                _current = candidate;
                LastResult = new ReloadResult(time.GetUtcNow(), Error: null);
                logger.Reloaded(settings.File, configuration.Routes.Count, configuration.Policies.Count);
                return true;
            }
            catch (ConfigurationRejectedException e)
            {
                LastResult = new ReloadResult(time.GetUtcNow(), e.Message);
                logger.Refused(settings.File, e.Message);
                return false;
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var hangUp = OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            Reload();
        });
        using var timer = new PeriodicTimer(Interval, time);
        var (taken, seen) = (_initial, _initial);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                // A file that is still being written is left alone until it looks the same twice.
                var stamp = Stamp(settings.File);
                if (stamp == seen && stamp != taken)
                {
                    taken = stamp;
                    Reload();
                }

                seen = stamp;
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
    }

    private static (DateTime Written, long Length) Stamp(string path)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return (File.GetLastWriteTimeUtc(file), RandomAccess.GetLength(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }

    private void WarnOfFixedChanges(IConfigurationRoot candidate)
    {
        foreach (var section in FixedSections)
        {
            if (!Flatten(_current, section).SequenceEqual(Flatten(candidate, section)))
            {
                logger.NeedsRestart(section);
            }
        }
    }

    private static IEnumerable<KeyValuePair<string, string?>> Flatten(IConfigurationRoot root, string section) =>
        root.GetSection(section).AsEnumerable().OrderBy(p => p.Key, StringComparer.OrdinalIgnoreCase);
}
