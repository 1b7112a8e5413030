using System.Globalization;

namespace FenceGateway.TestKit;

/// <summary>
/// PostgreSQL on a free loopback port in a folder of its own: Debian's, or the one whose programs are in the folder
/// that <c>FENCEGATEWAY_POSTGRES</c> names. Whoever connects from this machine is believed (<c>trust</c>), as the
/// superuser <c>postgres</c> or any other role. Disposing kills it.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private const string Owner = "postgres";

    /// <summary>What initdb makes takes a second or two: it is made once and copied.</summary>
    private static readonly SharedFolder Template = new(static async folder =>
    {
        await GiveToOwnerAsync(folder);
        await RunAsOwnerAsync(
            Tool("initdb"), "--pgdata", folder.File("data"), "--auth=trust", $"--username={Owner}", "--encoding=UTF8",
            "--no-locale", "--no-sync", "--no-instructions", "--wal-segsize=4");
    });

    private readonly TempFolder _folder;
    private readonly string[] _settings;
    private ChildProcess? _process;

    private PostgresServer(TempFolder folder, string[] settings)
    {
        _folder = folder;
        _settings = settings;
        Port = FreePorts.Next();
    }

    public int Port { get; }

    /// <summary>The id of the postmaster; another one after a restart.</summary>
    public int Id => Running.Id;

    private ChildProcess Running => _process ?? throw new InvalidOperationException("The server was killed");

    private string Data => _folder.File("data");

    /// <summary>
    /// Starts a server and waits until it serves. <paramref name="settings"/>: <c>fsync=off</c> and the like.
    /// </summary>
    public static async Task<PostgresServer> StartAsync(params string[] settings)
    {
        var template = await Template.GetAsync();
        return await StartAsync(
            settings, folder => ChildProcess.RunAsync("cp", "-a", template.File("data"), folder.File("data")));
    }

    /// <summary>Starts a replica of this server, and waits until it serves reads and streams.</summary>
    /// <param name="name">Its <c>application_name</c>, for <c>synchronous_standby_names</c>.</param>
    public async Task<PostgresServer> StartReplicaAsync(string name)
    {
        var replica = await StartAsync([], folder => RunAsOwnerAsync(
            Tool("pg_basebackup"), "--pgdata", folder.File("data"), "--checkpoint=fast", "--write-recovery-conf",
            "--no-sync",
            "--dbname", $"host=127.0.0.1 port={Port} user={Owner} application_name={name}"));
        await Eventually.IsSoAsync(
            async () =>
                await QueryAsync($"SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND "
                    + "state = 'streaming'") == "1",
            "the replica to stream");
        return replica;
    }

    /// <summary>A connection string as the superuser.</summary>
    public string ConnectionString(string database = "postgres", string user = Owner) =>
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={Port};Username={user};Database={database}");

    /// <summary>Makes an empty database; its name.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        var name = $"test_{Guid.NewGuid():N}";
        _ = await QueryAsync($"CREATE DATABASE {name}");
        return name;
    }

    /// <summary>
    /// Runs statements with psql as the superuser, stopping at the first that fails; what they printed, unaligned.
    /// </summary>
    public async Task<string> QueryAsync(string sql, string database = "postgres") => await ChildProcess.RunAsync(
        Tool("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
        "--host=127.0.0.1",
        $"--port={Port}", $"--username={Owner}", $"--dbname={database}", $"--command={sql}");

    /// <summary>SIGKILL for every process of the server at once, and waits until they are gone.</summary>
    public async Task KillAsync()
    {
        await ProcessFamily.KillAsync(Running);
        _process = null;
    }

    /// <summary>Starts again on the same port and folder, after a SIGKILL if it still runs.</summary>
    public async Task RestartAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }

        await LaunchAsync();
    }

    /// <summary>Stops every process where it stands (SIGSTOP); connections stay open and nothing is answered.</summary>
    public void Pause() => ProcessFamily.Signal(Running, UnixSignal.Stop);

    public void Continue() => ProcessFamily.Signal(Running, UnixSignal.Continue);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }

        _folder.Dispose();
    }

    private static async Task<PostgresServer> StartAsync(string[] settings, Func<TempFolder, Task> fill)
    {
        var folder = new TempFolder();
        await GiveToOwnerAsync(folder);
        var server = new PostgresServer(folder, settings);
        try
        {
            await fill(folder);
            await server.LaunchAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    private async Task LaunchAsync()
    {
        string[] settings =
        [
            "listen_addresses=127.0.0.1", $"port={Port}", $"unix_socket_directories={_folder.Path}",
            "shared_buffers=16MB",
            "max_connections=300", "max_wal_senders=4", "logging_collector=off", "log_min_messages=warning",
            .. _settings,
        ];
        var (file, arguments) = AsOwner(
            Tool("postgres"), ["-D", Data, .. settings.SelectMany(setting => new[] { "-c", setting })]);
        var process = ChildProcess.Start(file, arguments, name: "postgres");
        _process = process;
        await process.WaitUntilItSaysAsync("ready to accept");
    }

    private static async Task GiveToOwnerAsync(TempFolder folder)
    {
        if (Environment.IsPrivilegedProcess)
        {
            _ = await ChildProcess.RunAsync("chown", Owner, folder.Path);
        }
    }

    private static async Task RunAsOwnerAsync(string tool, params string[] arguments)
    {
        var (file, all) = AsOwner(tool, arguments);
        _ = await ChildProcess.RunAsync(file, all);
    }

    /// <summary>PostgreSQL refuses to run as root.</summary>
    private static (string File, IEnumerable<string> Arguments) AsOwner(string tool, IEnumerable<string> arguments) =>
        Environment.IsPrivilegedProcess
            ? ("setpriv", [$"--reuid={Owner}", $"--regid={Owner}", "--clear-groups", "--", tool, .. arguments])
            : (tool, arguments);

    /// <summary>The program of the version under test; a client that comes without one (psql) is Debian's.</summary>
    private static string Tool(string name) =>
        UnderTest(name) is { } tool && File.Exists(tool) ? tool : DebiansTool(name);

    private static string? UnderTest(string name) =>
        Environment.GetEnvironmentVariable("FENCEGATEWAY_POSTGRES") is { Length: > 0 } folder
            ? Path.Combine(folder, name)
            : null;

    /// <summary>Debian keeps the server's programs out of PATH, in a folder for each version.</summary>
    private static string DebiansTool(string name) => Directory.Exists("/usr/lib/postgresql")
        ? Directory.EnumerateFiles("/usr/lib/postgresql", name, SearchOption.AllDirectories)
            .OrderDescending(StringComparer.Ordinal).First()
        : throw new FileNotFoundException("PostgreSQL is missing: install Debian's postgresql");
}
