using System.Globalization;

namespace FenceGateway.TestKit;

/// <summary>
/// Debian's MariaDB on a free loopback port in a folder of its own. The user <c>root</c> has no password. One process.
/// Disposing kills it.
/// </summary>
public sealed class MariaDbServer : IAsyncDisposable
{
    /// <summary>The system tables take some seconds to make: they are made once and copied.</summary>
    private static readonly SharedFolder Template = new(static async folder =>
    {
        _ = await ChildProcess.RunAsync(
            "mariadb-install-db",
            ["--no-defaults", .. AsRoot(), $"--datadir={folder.File("data")}", "--innodb-log-file-size=4M",
                "--auth-root-authentication-method=normal", "--skip-test-db"]);
        _ = Directory.CreateDirectory(folder.File("data/test"));
    });


    private readonly TempFolder _folder = new();
    private readonly string[] _settings;
    private ChildProcess? _process;

    private MariaDbServer(string[] settings)
    {
        _settings = settings;
        Port = FreePorts.Next();
    }

    public int Port { get; }

    /// <summary>The process id; another one after a restart.</summary>
    public int Id => Running.Id;

    private ChildProcess Running => _process ?? throw new InvalidOperationException("The server was killed");

    /// <summary>
    /// Starts a server and waits until it serves. <paramref name="settings"/>: <c>sync-binlog=1</c> and the like.
    /// </summary>
    public static async Task<MariaDbServer> StartAsync(params string[] settings)
    {
        var template = await Template.GetAsync();
        var server = new MariaDbServer(settings);
        try
        {
            _ = await ChildProcess.RunAsync("cp", "-a", template.File("data"), server._folder.File("data"));
            await server.LaunchAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>A connection string as the administrator, or as a user without a password.</summary>
    public string ConnectionString(string database = "test", string user = "root") =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"Server=127.0.0.1;Port={Port};User Id={user};Database={database};SslMode=Disabled");

    /// <summary>Makes an empty database; its name.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        var name = $"test_{Guid.NewGuid():N}";
        _ = await QueryAsync($"CREATE DATABASE {name}", "mysql");
        return name;
    }

    /// <summary>
    /// Runs statements with the mariadb client as the administrator; what they printed, columns parted by tabs.
    /// </summary>
    public async Task<string> QueryAsync(string sql, string database = "test") => await ChildProcess.RunAsync(
        "mariadb", "--no-defaults", "--host=127.0.0.1", $"--port={Port}", "--user=root", "--skip-ssl", "--batch",
        "--skip-column-names",
        $"--database={database}", $"--execute={sql}");

    /// <summary>SIGKILL, and waits until the process is gone.</summary>
    public async Task KillAsync()
    {
        await Running.DisposeAsync();
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

    /// <summary>
    /// Stops the whole server where it stands (SIGSTOP); connections stay open and nothing is answered.
    /// </summary>
    public void Pause() => Running.Signal(UnixSignal.Stop);

    public void Continue() => Running.Signal(UnixSignal.Continue);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }

        _folder.Dispose();
    }

    private async Task LaunchAsync()
    {
        string[] arguments =
        [
            "--no-defaults", .. AsRoot(), $"--datadir={_folder.File("data")}", "--bind-address=127.0.0.1",
            $"--port={Port}",
            $"--socket={_folder.File("socket")}", $"--pid-file={_folder.File("pid")}", "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=4M", "--performance-schema=OFF", .. _settings.Select(setting => $"--{setting}"),
        ];
        var process = ChildProcess.Start(Tool("mariadbd"), arguments);
        _process = process;
        await process.WaitUntilItSaysAsync("ready for connections");
    }

    /// <summary>Root may run it, and has to say so.</summary>
    private static string[] AsRoot() => Environment.IsPrivilegedProcess ? ["--user=root"] : [];

    private static string Tool(string name) =>
        ((string[])["/usr/sbin", "/usr/local/sbin", "/usr/bin"]).Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists)
        ?? throw new FileNotFoundException("MariaDB is missing: install Debian's mariadb-server");
}
