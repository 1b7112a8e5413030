using System.Collections.Concurrent;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// The configuration in force. A changed file is checked whole, together with the environment and the command line,
/// before anything else sees it; one that is refused changes nothing.
/// </summary>
internal sealed partial class LastGoodConfiguration : IDisposable
{
    private readonly ConfigurationLayers _layers;
    private readonly TimeProvider _time;
    private readonly LastGoodFileProvider _provider;
    private readonly Dictionary<string, string?> _started;
    private readonly SemaphoreSlim _reloading = new(1, 1);
    private readonly ConcurrentBag<Action<GatewayConfiguration>> _followers = [];
    private Action<GatewayConfiguration>? _serve;
    private Func<GatewayConfiguration, GatewayConfiguration, IReadOnlyList<ConfigProblem>>? _guard;
    private byte[]? _examined;
    private volatile GatewayConfiguration _current;
    private volatile ReloadOutcome _lastReload;

    private LastGoodConfiguration(
        string file,
        ConfigurationLayers layers,
        TimeProvider time,
        byte[] json,
        IDictionary<string, string?> values,
        GatewayConfiguration current)
    {
        (File, _layers, _time, _examined, _current) = (file, layers, time, json, current);
        _provider = new LastGoodFileProvider(values);
        _started = RestartSettings.Of(layers.Build(values));
        _lastReload = new ReloadOutcome(time.GetUtcNow(), [], []);
    }

    /// <summary>Full path of the file.</summary>
    public string File { get; }

    /// <summary>What is in force. Settings that need a restart are in force as they were in the first one.</summary>
    public GatewayConfiguration Current => _current;

    /// <summary>How the last attempt ended, the one at start included.</summary>
    public ReloadOutcome LastReload => _lastReload;

    /// <summary>
    /// Calls <paramref name="apply"/> with what is in force, and with each new configuration before requests meet it.
    /// </summary>
    public void Follow(Action<GatewayConfiguration> apply)
    {
        _followers.Add(apply);
        apply(_current);
    }

    /// <summary>One part of the configuration, for a feature that need not know the others.</summary>
    public InForce<T> Part<T>(Func<GatewayConfiguration, T> select) =>
        new(() => select(_current), apply => Follow(configuration => apply(select(configuration))));

    /// <summary>
    /// The same for the one that puts a configuration before requests: it is called when all others have been.
    /// </summary>
    public void Serve(Action<GatewayConfiguration> swap)
    {
        _serve = swap;
        swap(_current);
    }

    /// <summary>
    /// Asks <paramref name="check"/> before a new configuration takes the place of the one in force: any problem
    /// refuses it.
    /// </summary>
    public void Guard(Func<GatewayConfiguration, GatewayConfiguration, IReadOnlyList<ConfigProblem>> check) =>
        _guard = check;

    /// <summary>Finds, reads and checks the configuration.</summary>
    /// <exception cref="ConfigurationRejectedException">It cannot be used.</exception>
    public static Task<LastGoodConfiguration> LoadAsync(
        GatewayArguments arguments, TimeProvider time, CancellationToken cancellationToken) =>
        LoadAsync(
            ConfigurationFile.Locate(arguments.ConfigFile), ConfigurationLayers.Of(arguments.Settings), time,
            cancellationToken);

    /// <summary>The same, with the layers given.</summary>
    public static async Task<LastGoodConfiguration> LoadAsync(
        string file, ConfigurationLayers layers, TimeProvider time, CancellationToken cancellationToken)
    {
        var problems = new List<ConfigProblem>();
        if (ConfigurationFile.Read(file, problems) is { } json
            && ConfigurationFile.Parse(file, json, problems) is { } values
            && await GatewayConfigurationParser
                .ParseAsync(layers.Build(values), problems, cancellationToken) is { } configuration)
        {
            return new LastGoodConfiguration(file, layers, time, json, values, configuration);
        }

        throw new ConfigurationRejectedException(problems);
    }

    /// <summary>
    /// Makes a host's configuration this one: removes what is there and adds default address, last good file,
    /// environment and command line.
    /// </summary>
    public void AddTo(IConfigurationBuilder builder)
    {
        builder.Sources.Clear();
        _layers.AddTo(builder, _provider, _provider.Values);
    }

    /// <summary>Reads the file again and puts it in force if it is good, whether it changed or not.</summary>
    public Task<ReloadOutcome> ReloadAsync(ILogger logger, CancellationToken cancellationToken) =>
        ReloadAsync(logger, onlyIfChanged: false, cancellationToken);

    /// <summary>
    /// The same; with <paramref name="onlyIfChanged"/> a file that was examined before is left alone.
    /// </summary>
    public async Task<ReloadOutcome> ReloadAsync(
        ILogger logger, bool onlyIfChanged, CancellationToken cancellationToken)
    {
        await _reloading.WaitAsync(cancellationToken);
        try
        {
            var problems = new List<ConfigProblem>();
            var json = ConfigurationFile.Read(File, problems);
            if (onlyIfChanged && SameAsExamined(json))
            {
                return _lastReload;
            }

            _examined = json;
            _lastReload = await ExamineAsync(json, problems, cancellationToken);
            Report(logger, _lastReload);
            return _lastReload;
        }
        finally
        {
            _reloading.Release();
        }
    }

    /// <summary>Logs what the configuration in force says and probably does not mean.</summary>
    public void LogWarnings(ILogger logger)
    {
        foreach (var warning in ConfigurationWarnings.Of(_current))
        {
            Log.Warned(logger, warning.Path, warning.Message);
        }
    }

    private bool SameAsExamined(byte[]? json) =>
        json is null ? _examined is null : _examined is not null && _examined.AsSpan().SequenceEqual(json);

    private async Task<ReloadOutcome> ExamineAsync(
        byte[]? json, List<ConfigProblem> problems, CancellationToken cancellationToken)
    {
        var values = json is null ? null : ConfigurationFile.Parse(File, json, problems);
        if (values is null)
        {
            return Refused(problems);
        }

        var candidate = _layers.Build(values);
        if (await GatewayConfigurationParser
            .ParseAsync(candidate, problems, cancellationToken) is not { } configuration)
        {
            return Refused(problems);
        }

        problems.AddRange(_guard?.Invoke(_current, configuration) ?? []);
        if (problems.Count > 0)
        {
            return Refused(problems);
        }

        _current = configuration;
        foreach (var apply in _followers)
        {
            apply(configuration);
        }

        _provider.Swap(values);
        _serve?.Invoke(configuration);
        return new ReloadOutcome(
            _time.GetUtcNow(), [], RestartSettings.Changed(_started, RestartSettings.Of(candidate)));
    }

    /// <summary>What an earlier file left to a restart is still left to it.</summary>
    private ReloadOutcome Refused(List<ConfigProblem> problems) =>
        new(_time.GetUtcNow(), problems, _lastReload.NeedsRestart);

    private void Report(ILogger logger, ReloadOutcome outcome)
    {
        if (!outcome.Succeeded)
        {
            Log.Refused(logger, File, outcome.Problems.Count, string.Join("; ", outcome.Problems));
            return;
        }

        Log.Reloaded(logger, File, _current.Routes.Count, _current.Clusters.Count, _current.FencingPolicies.Count);
        if (outcome.NeedsRestart.Count > 0)
        {
            Log.NeedsRestart(logger, string.Join(", ", outcome.NeedsRestart));
        }

        LogWarnings(logger);
    }

    public void Dispose() => _reloading.Dispose();

    private static partial class Log
    {
        [LoggerMessage(1101, LogLevel.Information,
            "Configuration {file} reloaded: {routes} routes, {clusters} clusters, {policies} fencing policies.")]
        public static partial void Reloaded(ILogger logger, string file, int routes, int clusters, int policies);

        [LoggerMessage(1102, LogLevel.Error,
            "Configuration {file} is refused, the last good one keeps serving. {count} problem(s): {problems}")]
        public static partial void Refused(ILogger logger, string file, int count, string problems);

        [LoggerMessage(1103, LogLevel.Warning, "Changed settings that need a restart to be in force: {settings}.")]
        public static partial void NeedsRestart(ILogger logger, string settings);

        [LoggerMessage(1106, LogLevel.Warning, "{path} {warning}.")]
        public static partial void Warned(ILogger logger, string path, string warning);
    }
}
