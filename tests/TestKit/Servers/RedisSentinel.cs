namespace FenceGateway.TestKit;

/// <summary>
/// Sentinels that watch one master as the service <c>fence</c>, and put a replica in its place within about two
/// seconds.
/// </summary>
public sealed class RedisSentinel : IAsyncDisposable
{
    public const string Service = "fence";

    private readonly TempFolder _folder = new();
    private ChildProcess? _process;

    private RedisSentinel() => Port = FreePorts.Next();

    public int Port { get; }

    /// <summary>
    /// Starts one of a master without replicas, encrypted if the master is; not waited for but for its start.
    /// </summary>
    /// <param name="master">Whose address it tells.</param>
    /// <param name="lines">Further lines of its configuration file.</param>
    public static async Task<RedisSentinel> StartAsync(RedisServer master, params string[] lines)
    {
        var sentinel = new RedisSentinel();
        await sentinel.LaunchAsync(master, 1, lines);
        return sentinel;
    }

    /// <summary>
    /// Starts so many, whose majority decides, and waits until each knows the others and the replica.
    /// </summary>
    /// <param name="master">Has a replica already.</param>
    /// <param name="count">How many.</param>
    public static async Task<RedisSentinel[]> StartAsync(RedisServer master, int count)
    {
        var sentinels = Enumerable.Range(0, count).Select(static _ => new RedisSentinel()).ToArray();
        foreach (var sentinel in sentinels)
        {
            await sentinel.LaunchAsync(master, count / 2 + 1, []);
        }

        await Eventually.IsSoAsync(
            async () =>
                (await Task.WhenAll(sentinels.Select(sentinel => sentinel.CommandAsync("SENTINEL", "MASTER", Service))))
                .All(state => state.Contains($"num-other-sentinels\n{count - 1}", StringComparison.Ordinal)
                    && state.Contains("num-slaves\n1", StringComparison.Ordinal)),
            "the sentinels to know each other and the replica");
        return sentinels;
    }

    /// <summary>Runs a command; what it printed, as <c>redis-cli --raw</c> does.</summary>
    public Task<string> CommandAsync(params IEnumerable<string> command) =>
        RedisCommand.RunAsync(Port, password: null, certificates: null, command);

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        await _process!.DisposeAsync();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        await (_process?.DisposeAsync() ?? ValueTask.CompletedTask);
        _folder.Dispose();
    }

    private async Task LaunchAsync(RedisServer master, int quorum, string[] lines)
    {
        var file = _folder.File("sentinel.conf");
        string[] listen = master.Options.Certificates is not { } certificates
            ? [$"port {Port}"]
            :
            [
                "port 0", $"tls-port {Port}", $"tls-ca-cert-file {certificates.AuthorityFile}",
                $"tls-cert-file {certificates.ServerFile}",
                $"tls-key-file {certificates.ServerFile}", "tls-auth-clients no", "tls-replication yes",
            ];
        await File.WriteAllLinesAsync(
            file,
            [
                .. listen, "bind 127.0.0.1", $"dir {_folder.File(".")}",
                $"sentinel monitor {Service} 127.0.0.1 {master.Port} {quorum}",
                $"sentinel down-after-milliseconds {Service} 1000", $"sentinel failover-timeout {Service} 3000",
                .. lines,
            ]);
        _process = ChildProcess.Start("redis-server", [file, "--sentinel"]);
        await _process.WaitUntilItSaysAsync("+monitor master");
    }
}
