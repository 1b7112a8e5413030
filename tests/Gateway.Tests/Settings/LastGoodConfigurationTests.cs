using System.Collections.Concurrent;
using FenceGateway.Gateway.Listeners;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Tests.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Primitives;

namespace FenceGateway.Gateway.Tests.Settings;

public sealed class LastGoodConfigurationTests : IDisposable
{
    private static readonly string Changed = Json.Good.Replace(
        "\"orders/{id}\"", "\"changed/{id}\"", StringComparison.Ordinal);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ConfigurationFolder _folder = new();
    private readonly ListLogger _log = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public LastGoodConfigurationTests() => _folder.Write(Json.Good);

    [Fact]
    public async Task ReloadAsync_GoodFile_WhoServesItIsCalledWhenAllOthersKnowIt()
    {
        using var configuration = await _folder.LoadAsync();
        var host = new ConfigurationManager();
        configuration.AddTo(host);
        var before = configuration.Current.FencingPolicies["per-order"];
        List<string> seen = [];
        configuration.Serve(c => seen.Add($"served {c.FencingPolicies["Per-Order"].Resource.Text}"));
        configuration.Follow(c => seen.Add($"followed {c.FencingPolicies["per-order"].Resource.Text}"));
        using var registration = ChangeToken.OnChange(
            host.GetSection("ReverseProxy").GetReloadToken,
            () => seen.Add("told " + host["FenceGateway:FencingPolicies:per-order:Resource"]));
        _folder.Write(Changed);
        seen.ShouldBe(["served orders/{id}", "followed orders/{id}"]);
        seen.Clear();

        var outcome = await configuration.ReloadAsync(_log, Cancellation);

        outcome.Succeeded.ShouldBeTrue();
        configuration.LastReload.ShouldBeSameAs(outcome);
        seen.ShouldBe(["followed changed/{id}", "told changed/{id}", "served changed/{id}"]);
        before.Resource.Text.ShouldBe("orders/{id}");
        _log.Lines.ShouldHaveSingleItem().ShouldStartWith("Information");
    }

    [Theory]
    [InlineData("{ broken")]
    [InlineData("{ \"FenceGateway\": { \"Admn\": {}, \"Shutdwn\": {} } }")]
    [InlineData(null)]
    public async Task ReloadAsync_BadFile_LastGoodOneKeepsServingAndOneErrorIsLogged(string? json)
    {
        using var configuration = await _folder.LoadAsync();
        var host = new ConfigurationManager();
        configuration.AddTo(host);
        var current = configuration.Current;
        var token = ((IConfiguration)host).GetReloadToken();
        if (json is null)
        {
            File.Delete(_folder.File);
        }
        else
        {
            _folder.Write(json);
        }

        var outcome = await configuration.ReloadAsync(_log, Cancellation);
        await configuration.ReloadAsync(_log, onlyIfChanged: true, Cancellation);

        outcome.Succeeded.ShouldBeFalse();
        token.HasChanged.ShouldBeFalse();
        configuration.Current.ShouldBeSameAs(current);
        host["FenceGateway:FencingPolicies:per-order:Resource"].ShouldBe("orders/{id}");
        var line = _log.Lines.ShouldHaveSingleItem();
        line.ShouldStartWith("Error");
        outcome.Problems.ShouldAllBe(p => line.Contains(p.Path, StringComparison.Ordinal));
    }

    [Fact]
    public async Task ReloadAsync_BadThenGood_Recovers()
    {
        using var configuration = await _folder.LoadAsync();
        _folder.Write("{");
        await configuration.ReloadAsync(_log, onlyIfChanged: true, Cancellation);
        _folder.Write(Changed);

        (await configuration.ReloadAsync(_log, onlyIfChanged: true, Cancellation)).Succeeded.ShouldBeTrue();

        configuration.Current.FencingPolicies["per-order"].Resource.Text.ShouldBe("changed/{id}");
    }

    [Fact]
    public async Task ReloadAsync_SettingThatNeedsARestart_IsNamedAsLongAsItDiffers()
    {
        using var configuration = await _folder.LoadAsync();
        _folder.Write("""{ "Urls": "http://127.0.0.1:1", "FenceGateway": { "TokenStore": { "Provider": "Memory" } } }""");

        var outcome = await configuration.ReloadAsync(_log, Cancellation);

        outcome.NeedsRestart.ShouldBe(["$.FenceGateway.TokenStore.Provider", "$.Urls"]);
        _log.Lines.Last().ShouldStartWith("Warning");
        (await configuration.ReloadAsync(_log, Cancellation)).NeedsRestart.Count.ShouldBe(2);
        _folder.Write(Json.Good);
        (await configuration.ReloadAsync(_log, Cancellation)).NeedsRestart.ShouldBeEmpty();
    }

    [Fact]
    public async Task Watcher_FileWritten_IsInForce() => await WatchAsync(() => _folder.Write(Changed));

    [Fact]
    public async Task Watcher_FileReplacedByRename_IsInForce() => await WatchAsync(() =>
    {
        File.WriteAllText(_folder.Other("new"), Changed);
        File.Move(_folder.Other("new"), _folder.File, overwrite: true);
    });

    [Fact]
    public async Task Watcher_SymbolicLinkTurned_IsInForce()
    {
        // As Kubernetes mounts a config map: gateway.json -> ..data/gateway.json, ..data -> a folder per version.
        File.Delete(_folder.File);
        foreach (var (version, json) in new[] { ("v1", Json.Good), ("v2", Changed) })
        {
            Directory.CreateDirectory(_folder.Other(version));
            await File.WriteAllTextAsync(Path.Combine(_folder.Other(version), "gateway.json"), json, Cancellation);
        }

        Directory.CreateSymbolicLink(_folder.Other("..data"), "v1");
        File.CreateSymbolicLink(_folder.File, "..data/gateway.json");
        await WatchAsync(() =>
        {
            Directory.Delete(_folder.Other("..data"));
            Directory.CreateSymbolicLink(_folder.Other("..data"), "v2");
        });
    }

    [Fact]
    public async Task Watcher_Forced_ReloadsAnUnchangedFile()
    {
        using var configuration = await _folder.LoadAsync();
        using var watcher = new ConfigurationWatcher(configuration, NoCertificates, TimeProvider.System, _log);
        await watcher.StartAsync(Cancellation);

        watcher.Force();

        await _log.Logged.Task.WaitAsync(Patience, Cancellation);
        await watcher.StopAsync(Cancellation);
        configuration.LastReload.Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task Watcher_FileBroken_IsLoggedAndLastGoodStays()
    {
        using var configuration = await _folder.LoadAsync();
        using var watcher = new ConfigurationWatcher(configuration, NoCertificates, TimeProvider.System, _log);
        await watcher.StartAsync(Cancellation);

        _folder.Write("{ broken");

        await _log.Logged.Task.WaitAsync(Patience, Cancellation);
        await watcher.StopAsync(Cancellation);
        configuration.LastReload.Succeeded.ShouldBeFalse();
        configuration.Current.FencingPolicies.ShouldContainKey("per-order");
    }

    private static ServerCertificates NoCertificates =>
        new(new ConfigurationBuilder().Build(), NullLogger<ServerCertificates>.Instance);

    private async Task WatchAsync(Action change)
    {
        using var configuration = await _folder.LoadAsync();
        var host = new ConfigurationManager();
        configuration.AddTo(host);
        var reloaded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = ((IConfiguration)host).GetReloadToken().RegisterChangeCallback(
            _ => reloaded.TrySetResult(), null);
        using var watcher = new ConfigurationWatcher(configuration, NoCertificates, TimeProvider.System, _log);
        await watcher.StartAsync(Cancellation);

        change();

        await reloaded.Task.WaitAsync(Patience, Cancellation);
        await watcher.StopAsync(Cancellation);
        configuration.Current.FencingPolicies["per-order"].Resource.Text.ShouldBe("changed/{id}");
    }

    public void Dispose() => _folder.Dispose();

    private sealed class ListLogger : ILogger<ConfigurationWatcher>
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public TaskCompletionSource Logged { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            Lines.Enqueue($"{logLevel}: {formatter(state, exception)}");
            Logged.TrySetResult();
        }
    }
}
