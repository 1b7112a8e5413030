using System.Net;
using System.Text.Json;

namespace FenceGateway.TestKit;

/// <summary>How a <see cref="GatewayProcess"/> is started; starting again with the same one is a restart.</summary>
public sealed class GatewayProcessOptions
{
    /// <summary>The configuration file. Its listeners are replaced by the ports here.</summary>
    public required string ConfigFile { get; init; }

    public int Port { get; init; } = FreePorts.Next();

    public int AdminPort { get; init; } = FreePorts.Next();

    /// <summary>Further arguments, <c>--Section:Key=value</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>
    /// A command that gets the gateway's command line as further arguments and has to become it with <c>exec</c>, so
    /// that the process id stays: <c>bash -c 'ulimit -n 64; exec "$@"' bash</c>.
    /// </summary>
    public IReadOnlyList<string> Through { get; init; } = [];
}

/// <summary>
/// The built gateway as a process of its own, <c>dotnet exec fencegateway.dll run</c>. Disposing kills it.
/// </summary>
public sealed class GatewayProcess : IAsyncDisposable
{
    /// <summary>
    /// Much of what tests cost is the start of gateways: nothing is measured or counted for better code later, which
    /// short lives do not see (a third less CPU for each).
    /// </summary>
    private static readonly Dictionary<string, string?> QuickStart = new(StringComparer.Ordinal)
    {
        ["DOTNET_TieredPGO"] = "0",
        ["DOTNET_gcConcurrent"] = "0",
        ["DOTNET_TC_CallCounting"] = "0",
    };

    private readonly ChildProcess _process;

    private GatewayProcess(ChildProcess process, GatewayProcessOptions options)
    {
        _process = process;
        Options = options;
    }

    public GatewayProcessOptions Options { get; }

    public int Port => Options.Port;

    public int AdminPort => Options.AdminPort;

    public Uri Address => new($"http://127.0.0.1:{Port}/");

    public Uri AdminAddress => new($"http://127.0.0.1:{AdminPort}/");

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public IReadOnlyList<string> Output => _process.Output;

    public IReadOnlyList<string> Errors => _process.Errors;

    /// <summary>The lines of standard output that are JSON objects.</summary>
    public IReadOnlyList<JsonElement> Log =>
        [.. Output.Where(l => l.StartsWith('{')).Select(l => JsonSerializer.Deserialize<JsonElement>(l))];

    /// <summary>Starts the gateway and waits until <c>/readyz</c> answers 200.</summary>
    /// <exception cref="InvalidOperationException">It ended instead; the message holds what it said.</exception>
    public static async Task<GatewayProcess> StartAsync(GatewayProcessOptions options)
    {
        var gateway = Launch(options);
        try
        {
            await Readiness.WaitAsync(gateway._process, new Uri(gateway.AdminAddress, "readyz"), HttpStatusCode.OK);
            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the gateway without waiting, for one that is not meant to become ready.</summary>
    public static GatewayProcess Launch(GatewayProcessOptions options)
    {
        string[] command =
        [
            .. options.Through,
            "dotnet", "exec", FindAssembly(), "run", "--config", options.ConfigFile,
            "--urls", $"http://127.0.0.1:{options.Port}",
            $"--FenceGateway:Admin:Url=http://127.0.0.1:{options.AdminPort}",
            .. options.Arguments,
        ];
        return new GatewayProcess(
            ChildProcess.Start(command[0], command[1..], CleanEnvironment(options), name: "fencegateway"), options);
    }

    /// <summary>
    /// Runs another verb (<c>validate</c>, <c>version</c>) as a process; the caller waits for its exit.
    /// </summary>
    public static ChildProcess RunVerb(params IEnumerable<string> arguments) =>
        ChildProcess.Start("dotnet", ["exec", FindAssembly(), .. arguments], QuickStart);

    public void Signal(UnixSignal signal) => _process.Signal(signal);

    /// <summary>SIGKILL, and waits until the process is gone.</summary>
    public async Task KillAsync()
    {
        Signal(UnixSignal.Kill);
        _ = await WaitForExitAsync();
    }

    /// <summary>SIGTERM, and waits for the exit code.</summary>
    public Task<int> TerminateAsync(TimeSpan? limit = null)
    {
        Signal(UnixSignal.Terminate);
        return WaitForExitAsync(limit);
    }

    /// <inheritdoc cref="ChildProcess.WaitForExitAsync"/>
    public Task<int> WaitForExitAsync(TimeSpan? limit = null) => _process.WaitForExitAsync(limit);

    /// <inheritdoc cref="ChildProcess.WaitForLineAsync"/>
    public Task<string> WaitForLineAsync(Func<string, bool> condition, TimeSpan? limit = null) =>
        _process.WaitForLineAsync(condition, limit);

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    /// <summary>
    /// The Gateway project's own output, which unlike a copy beside the tests is what gets published; of the same build
    /// configuration as the tests.
    /// </summary>
    /// <exception cref="FileNotFoundException">It was not built.</exception>
    public static string FindAssembly()
    {
        var here = new DirectoryInfo(AppContext.BaseDirectory);
        var configuration = here.Parent?.Name ?? "Release";
        for (var folder = here; folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "FenceGateway.sln")))
            {
                continue;
            }

            var file = Path.Combine(
                folder.FullName, "src", "Gateway", "bin", configuration, "net10.0", "fencegateway.dll");
            return File.Exists(file)
                ? file
                : throw new FileNotFoundException(
                    $"The gateway is not built: dotnet build src/Gateway -c {configuration}", file);
        }

        throw new FileNotFoundException($"No FenceGateway.sln above {here.FullName}");
    }

    /// <summary>What the test run itself was started with must not configure the gateway.</summary>
    private static Dictionary<string, string?> CleanEnvironment(GatewayProcessOptions options)
    {
        Dictionary<string, string?> environment = new(QuickStart, StringComparer.Ordinal);
        foreach (string name in Environment.GetEnvironmentVariables().Keys)
        {
            if (name.StartsWith("ASPNETCORE_", StringComparison.OrdinalIgnoreCase)
                || name.StartsWith("FenceGateway__", StringComparison.OrdinalIgnoreCase))
            {
                environment[name] = null;
            }
        }

        foreach (var (name, value) in options.Environment)
        {
            environment[name] = value;
        }

        return environment;
    }
}
