using System.Net.Sockets;
using System.Text;

namespace FenceGateway.TestKit;

/// <summary>
/// Debian's ZooKeeper on free loopback ports with a data folder of its own: one server, alone or of a
/// <see cref="ZooKeeperEnsemble"/>. Its tick is short, so that sessions of half a second can be had. Disposing kills
/// it.
/// </summary>
public sealed class ZooKeeperServer : IAsyncDisposable
{
    private const string ClassesName = "classes.jsa";
    private const string Jar = "/usr/share/java/zookeeper.jar";

    /// <summary>What TLS needs beyond what the jar itself names.</summary>
    private const string NettyJars =
        "/usr/share/java/netty-codec.jar:/usr/share/java/netty-resolver.jar:/usr/share/java/netty-transport-native-unix-common.jar";
    private static readonly TimeSpan PollEvery = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90);

    /// <summary>
    /// The classes as a server has loaded them, written by one that ends: half of what a start costs otherwise.
    /// </summary>
    private static readonly SharedFolder Classes = new(static async folder =>
    {
        await using var server = new ZooKeeperServer(number: 0);
        server.Launch([], $"-XX:ArchiveClassesAtExit={folder.File(ClassesName)}");
        await server.WaitUntilServingAsync();
        server.Process.Signal(UnixSignal.Terminate);
        _ = await server.Process.WaitForExitAsync();
    });

    private readonly TempFolder _folder = new();
    private readonly int _number;
    private readonly TestCertificates? _certificates;
    private ChildProcess? _process;

    internal ZooKeeperServer(int number, TestCertificates? certificates = null) =>
        (_number, _certificates) = (number, certificates);

    public int Port { get; } = FreePorts.Next();

    /// <summary>Of connections with TLS, for which there have to be certificates.</summary>
    public int SecurePort { get; } = FreePorts.Next();

    public int Id => Process.Id;

    public string ConnectionString => $"127.0.0.1:{Port}";

    /// <summary>How an ensemble lists it.</summary>
    internal string Member { get; } = $"127.0.0.1:{FreePorts.Next()}:{FreePorts.Next()}";

    private ChildProcess Process => _process ?? throw new InvalidOperationException("It was not started.");

    /// <exception cref="FileNotFoundException">ZooKeeper or Java is not installed.</exception>
    /// <param name="certificates">Those of a server that speaks TLS as well, on a port of its own, and asks its clients
    /// for a certificate there.</param>
    public static async Task<ZooKeeperServer> StartAsync(TestCertificates? certificates = null)
    {
        var server = new ZooKeeperServer(number: 0, certificates);
        try
        {
            await server.LaunchAsync([]);
            await server.WaitUntilServingAsync();
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
        Process.Signal(UnixSignal.Kill);
        _ = await Process.WaitForExitAsync();
    }

    /// <summary>Starts it again on the same ports and with the same data, and waits until it serves.</summary>
    public async Task RestartAsync()
    {
        await LaunchAgainAsync();
        await WaitUntilServingAsync();
    }

    /// <summary>Kills it and starts it without any data.</summary>
    public async Task RestartEmptyAsync()
    {
        await KillAsync();
        Directory.Delete(_folder.File("data"), recursive: true);
        await RestartAsync();
    }

    /// <summary>SIGSTOP.</summary>
    public void Pause() => Process.Signal(UnixSignal.Stop);

    /// <summary>SIGCONT.</summary>
    public void Continue() => Process.Signal(UnixSignal.Continue);

    /// <summary>The answer to a four-letter word, <c>srvr</c> or <c>ruok</c>; empty while it does not listen.</summary>
    public async Task<string> AskAsync(string word)
    {
        using var limit = new CancellationTokenSource(AnswerLimit, TimeProvider.System);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port, limit.Token);
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes(word), limit.Token);
            using var reader = new StreamReader(stream);
            return await reader.ReadToEndAsync(limit.Token);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            return "";
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _folder.Dispose();
    }

    internal async Task LaunchAgainAsync()
    {
        await Process.DisposeAsync();
        _process = Run(await ClassesAsync());
    }

    /// <summary>Starts the process, without waiting; alone unless there are members.</summary>
    internal async Task LaunchAsync(IReadOnlyList<string> members) =>
        Launch(members, await ClassesAsync());

    private void Launch(IReadOnlyList<string> members, string classes)
    {
        var data = Directory.CreateDirectory(_folder.File("data")).FullName;
        if (members.Count > 0)
        {
            File.WriteAllText(Path.Combine(data, "myid"), $"{_number}");
        }

        File.WriteAllLines(_folder.File("zoo.cfg"),
        [
            "tickTime=100",
            "initLimit=100",
            "syncLimit=20",
            "minSessionTimeout=200",
            "maxSessionTimeout=120000",
            $"dataDir={data}",
            $"clientPort={Port}",
            "clientPortAddress=127.0.0.1",
            "maxClientCnxns=0",
            "admin.enableServer=false",
            "4lw.commands.whitelist=srvr,ruok,dump",
            .. _certificates is null ? (IEnumerable<string>)[] :
            [
                "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
                $"secureClientPort={SecurePort}",
                "secureClientPortAddress=127.0.0.1",
                "ssl.keyStore.type=PEM",
                $"ssl.keyStore.location={_certificates.ServerFile}",
                "ssl.trustStore.type=PEM",
                $"ssl.trustStore.location={_certificates.AuthorityFile}",
            ],
            .. members,
        ]);
        _process = Run(classes);
    }

    /// <summary>It says that it serves only when it does: in an ensemble, once there is a leader.</summary>
    internal async Task WaitUntilServingAsync()
    {
        using var limit = new CancellationTokenSource(StartLimit, TimeProvider.System);
        while (!(await AskAsync("srvr")).Contains("Mode:", StringComparison.Ordinal))
        {
            if (Process.HasExited || limit.IsCancellationRequested)
            {
                throw new InvalidOperationException($"ZooKeeper does not serve.\n{Process.Tail()}");
            }

            await Task.Delay(PollEvery, TimeProvider.System);
        }
    }

    private static async Task<string> ClassesAsync() =>
        $"-XX:SharedArchiveFile={(await Classes.GetAsync()).File(ClassesName)}";

    private ChildProcess Run(string classes) => File.Exists(Jar)
        ? ChildProcess.Start("java",
        [
            "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", classes,
            "-Dzookeeper.preAllocSize=1024",
            "-cp", $"{Jar}:{NettyJars}", "org.apache.zookeeper.server.quorum.QuorumPeerMain", _folder.File("zoo.cfg"),
        ])
        : throw new FileNotFoundException("ZooKeeper is missing: install Debian's zookeeper", Jar);
}
