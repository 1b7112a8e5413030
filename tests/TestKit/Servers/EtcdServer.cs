using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace FenceGateway.TestKit;

/// <summary>
/// Debian's etcd on free loopback ports with a data folder of its own: one member, alone or of an
/// <see cref="EtcdCluster"/>. Disposing kills it.
/// </summary>
public sealed class EtcdServer : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _name;
    private readonly string[] _arguments;
    private readonly TestCertificates? _certificates;
    private readonly int _healthPort = FreePorts.Next();
    private string _cluster;
    private ChildProcess? _process;

    internal EtcdServer(string name, TestCertificates? certificates, params string[] arguments)
    {
        _name = name;
        _certificates = certificates;
        _arguments = arguments;
        _cluster = $"{name}={PeerAddress}";
    }

    public int Port { get; } = FreePorts.Next();

    public int PeerPort { get; } = FreePorts.Next();

    public int Id => Process.Id;

    /// <summary>The client address.</summary>
    public string Address => $"{(_certificates is null ? "http" : "https")}://127.0.0.1:{Port}";

    public string PeerAddress => $"http://127.0.0.1:{PeerPort}";

    private ChildProcess Process => _process ?? throw new InvalidOperationException("It was not started.");

    /// <param name="arguments">Further arguments: <c>--election-timeout=500</c>.</param>
    /// <exception cref="FileNotFoundException">etcd is not installed.</exception>
    public static Task<EtcdServer> StartAsync(params string[] arguments) => StartAsync(null, arguments);

    /// <summary>One that wants TLS, and a certificate from its clients.</summary>
    public static async Task<EtcdServer> StartAsync(TestCertificates? certificates, params string[] arguments)
    {
        var server = new EtcdServer("m1", certificates, arguments);
        try
        {
            server.Launch(server._cluster);
            await server.WaitUntilReadyAsync();
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

    /// <summary>SIGTERM, as for maintenance, and waits until the process is gone.</summary>
    public async Task StopAsync()
    {
        Process.Signal(UnixSignal.Terminate);
        _ = await Process.WaitForExitAsync();
    }

    /// <summary>Starts it again on the same ports and with the same data, and waits until it serves.</summary>
    public async Task RestartAsync()
    {
        await Process.DisposeAsync();
        Launch(_cluster);
        await WaitUntilReadyAsync();
    }

    /// <summary>SIGSTOP.</summary>
    public void Pause() => Process.Signal(UnixSignal.Stop);

    /// <summary>SIGCONT.</summary>
    public void Continue() => Process.Signal(UnixSignal.Continue);

    /// <summary>
    /// Sends <paramref name="json"/> to the JSON gateway, as an operator with curl would; the answer's text.
    /// </summary>
    /// <exception cref="HttpRequestException">It did not answer 200.</exception>
    public async Task<string> PostAsync(string path, string json)
    {
        using var handler = new SocketsHttpHandler();
        if (_certificates is { } certificates)
        {
            handler.SslOptions.ClientCertificates = [X509Certificate2.CreateFromPemFile(certificates.ClientFile)];
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                CustomTrustStore = { X509CertificateLoader.LoadCertificateFromFile(certificates.AuthorityFile) },
            };
        }

        using var client = new HttpClient(handler) { Timeout = TimeLimit.Default };
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await client.PostAsync(new Uri(Address + path), content);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode
            ? text
            : throw new HttpRequestException($"{path}: {text}", null, response.StatusCode);
    }

    /// <summary>Makes a user <c>root</c> with this password, and asks for it from now on.</summary>
    public async Task EnableAuthAsync(string password)
    {
        _ = await PostAsync("/v3/auth/user/add", $$"""{"name":"root","password":"{{password}}"}""");
        _ = await PostAsync("/v3/auth/role/add", """{"name":"root"}""");
        _ = await PostAsync("/v3/auth/user/grant", """{"user":"root","role":"root"}""");
        _ = await PostAsync("/v3/auth/enable", "{}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _folder.Dispose();
    }

    /// <summary>Starts the process as a member of <paramref name="cluster"/>, without waiting.</summary>
    internal void Launch(string cluster)
    {
        _cluster = cluster;
        _process = ChildProcess.Start(FindBinary(),
        [
            "--name", _name,
            "--data-dir", _folder.File("data"),
            "--listen-client-urls", Address,
            "--advertise-client-urls", Address,
            "--listen-peer-urls", PeerAddress,
            "--initial-advertise-peer-urls", PeerAddress,
            "--initial-cluster", cluster,
            "--bcrypt-cost", "4",
            "--logger", "zap",
            "--log-outputs", "stderr",
            "--log-level", "error",
            .. _certificates is null ? (IEnumerable<string>)[] :
            [
                "--cert-file", _certificates.ServerFile, "--key-file", _certificates.ServerFile,
                "--client-cert-auth", "--trusted-ca-file", _certificates.AuthorityFile,
            ],
            "--listen-metrics-urls", HealthAddress,
            .. _arguments,
        ]);
    }

    /// <summary>
    /// <c>/health</c> answers 200 once a linearizable read goes through, that is, once there is a leader.
    /// </summary>
    internal Task WaitUntilReadyAsync() =>
        Readiness.WaitAsync(Process, new Uri(HealthAddress + "/health"), HttpStatusCode.OK);

    /// <summary>Never encrypted.</summary>
    private string HealthAddress => $"http://127.0.0.1:{_healthPort}";

    internal string Member => $"{_name}={PeerAddress}";

    private static string FindBinary()
    {
        var folders = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/bin:/usr/local/bin".Split(':');
        return folders.Select(f => Path.Combine(f, "etcd")).FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException("etcd is missing: install Debian's etcd-server");
    }
}
