namespace FenceGateway.TestKit;

/// <summary>
/// Debian's redis-server, or Garnet, on a free loopback port in a folder of its own. One process, so that its id is all
/// there is to kill, to stop and to go on with. Disposing kills it.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private ChildProcess? _process;

    private RedisServer(RedisServerOptions options)
    {
        Options = options;
        Port = FreePorts.Next();
        BusPort = options.Cluster ? FreePorts.Next() : 0;
    }

    public RedisServerOptions Options { get; }

    public int Port { get; }

    /// <summary>Where the nodes of a cluster talk to each other; 0 without one.</summary>
    public int BusPort { get; }

    /// <summary>
    /// The configuration string of a client: address, and the password if there is one for everybody.
    /// </summary>
    public string Configuration =>
        $"127.0.0.1:{Port}"
        + (Options.Password is { } password ? $",password={password}" : "")
        + (Options.Certificates is not null ? ",ssl=true,sslHost=localhost" : "");

    /// <summary>The process id; another one after a restart.</summary>
    public int Id => Running.Id;

    /// <summary>The folder of the log and the snapshot.</summary>
    public string DataFolder => _folder.File("data");

    /// <summary>What the process that runs now has said.</summary>
    public IReadOnlyList<string> Output => Running.Output;

    private ChildProcess Running => _process ?? throw new InvalidOperationException("The server was killed");

    /// <summary>Starts a server and waits until it serves.</summary>
    /// <exception cref="InvalidOperationException">It ended instead; the message holds what it said.</exception>
    public static async Task<RedisServer> StartAsync(RedisServerOptions? options = null)
    {
        var server = new RedisServer(options ?? new RedisServerOptions());
        try
        {
            await server.LaunchAsync();
            if (server.Options.Cluster)
            {
                _ = await server.CommandAsync("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
                await server.WaitForClusterAsync();
            }

            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>SIGKILL, and waits until the process is gone.</summary>
    public async Task KillAsync()
    {
        await Running.DisposeAsync();
        _process = null;
    }

    /// <summary>
    /// Starts again on the same port and folder, after a SIGKILL if it still runs. <paramref name="meanwhile"/> gets
    /// the data folder while no process has it: what it takes away there is lost.
    /// </summary>
    public async Task RestartAsync(Action<string>? meanwhile = null)
    {
        if (_process is not null)
        {
            await KillAsync();
        }

        meanwhile?.Invoke(DataFolder);
        await LaunchAsync();
        if (Options.Cluster)
        {
            await WaitForClusterAsync();
        }
    }

    /// <summary>As <see cref="RestartAsync"/>, with nothing left of the data.</summary>
    public Task RestartEmptyAsync() => RestartAsync(static folder => Directory.Delete(folder, recursive: true));

    /// <summary>
    /// Stops the whole server where it stands (SIGSTOP); connections stay open and nothing is answered.
    /// </summary>
    public void Pause() => Running.Signal(UnixSignal.Stop);

    public void Continue() => Running.Signal(UnixSignal.Continue);

    /// <summary>Runs a command as the user <c>default</c>; what it printed, as <c>redis-cli --raw</c> does.</summary>
    public Task<string> CommandAsync(params IEnumerable<string> command) =>
        RedisCommand.RunAsync(Port, Options.Password, Options.Certificates, command);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _folder.Dispose();
    }

    private async Task LaunchAsync()
    {
        _ = Directory.CreateDirectory(DataFolder);
        var process = Options.Garnet
            ? await GarnetTool.StartAsync(Port, DataFolder)
            : ChildProcess.Start("redis-server", [.. Arguments(), .. Options.Arguments]);
        _process = process;

        // Either says so when the log has been read and the port is open.
        await process.WaitUntilItSaysAsync("Ready to accept connections");
        if (Options.Garnet)
        {
            for (var times = 0; times < 30; times++)
            {
                _ = await CommandAsync("EVAL", GarnetTool.FirstScript, "1", "{first}");
            }
        }
    }

    private List<string> Arguments()
    {
        List<string> arguments =
        [
            "--bind", "127.0.0.1", "--dir", DataFolder, "--save", "", "--daemonize", "no",
            "--appendonly", Options.AppendOnly ? "yes" : "no", "--appendfsync", Options.AppendFsync,
        ];
        if (Options.Certificates is { } certificates)
        {
            arguments.AddRange(
                ["--port", "0", "--tls-port", $"{Port}", "--tls-ca-cert-file", certificates.AuthorityFile]);
            arguments.AddRange(["--tls-cert-file", certificates.ServerFile, "--tls-key-file", certificates.ServerFile]);
            arguments.AddRange(["--tls-auth-clients", Options.AskForClientCertificate ? "yes" : "no"]);
        }
        else
        {
            arguments.AddRange(["--port", $"{Port}"]);
        }

        if (Options.Password is { } password)
        {
            arguments.AddRange(["--requirepass", password]);
        }

        if (Options.Users.Count > 0)
        {
            File.WriteAllLines(_folder.File("users.acl"), Options.Users);
            arguments.AddRange(["--aclfile", _folder.File("users.acl")]);
        }

        if (Options.Cluster)
        {
            arguments.AddRange(["--cluster-enabled", "yes", "--cluster-port", $"{BusPort}"]);
            arguments.AddRange(["--cluster-announce-ip", "127.0.0.1"]);
        }

        return arguments;
    }

    private async Task WaitForClusterAsync()
    {
        using var end = new CancellationTokenSource(TimeLimit.Default);
        while (!(await CommandAsync("CLUSTER", "INFO")).Contains("cluster_state:ok", StringComparison.Ordinal))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, end.Token);
        }
    }
}
