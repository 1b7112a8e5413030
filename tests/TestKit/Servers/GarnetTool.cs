using System.Text.Json;

namespace FenceGateway.TestKit;

/// <summary>
/// Garnet, as the repository's tool manifest names it. Restored when it is not there yet; then no network is needed.
/// </summary>
internal static class GarnetTool
{
    /// <summary>
    /// The first scripts compile much of the server, for seconds on a busy machine: not in the middle of a test. Leaves
    /// nothing.
    /// </summary>
    public const string FirstScript =
        """
        local k = KEYS[1]
        redis.call('TIME')
        redis.call('SET', k, '1') redis.call('GET', k) redis.call('INCR', k) redis.call('DEL', k)
        redis.call('HSET', k, 'a', '1') redis.call('HMGET', k, 'a', 'b') redis.call('HGETALL', k) redis.call('HDEL', k, 'a')
        redis.call('ZADD', k, 0, 'a') redis.call('ZRANGEBYLEX', k, '-', '+') redis.call('ZREM', k, 'a')
        redis.call('PUBLISH', k, '') redis.call('DEL', k)
        """;

    private const string Package = "garnet-server";

    /// <summary>Starts a server that keeps its data in <paramref name="folder"/> and takes up what is there.</summary>
    public static async Task<ChildProcess> StartAsync(int port, string folder) => ChildProcess.Start(
        "dotnet",
        [
            "exec", "--roll-forward", "Major", await FindAsync(), "--port", $"{port}", "--bind", "127.0.0.1",
            "--checkpointdir", folder, "--recover",
            "--aof", "--aof-commit-wait", "--lua", "--lua-transaction-mode",
            // The native device ends the process at its first write.
            "--device-type", "RandomAccess",
            // Who waits for the log has a thread of the pool meanwhile, of which there would be as many as cores.
            "--minthreads", "16",
            // What a test needs, and not a machine's memory.
            "--memory", "64m", "--page", "1m", "--index", "1m", "--aof-memory", "16m", "--aof-page-size", "4m",
        ],
        // It asks for a heap for each processor.
        new Dictionary<string, string?> { ["DOTNET_gcServer"] = "0" });

    private static async Task<string> FindAsync()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, ".config", "dotnet-tools.json")))
        {
            root = root.Parent;
        }

        var manifest = Path.Combine(
            root?.FullName ?? throw new InvalidOperationException("No tool manifest above the tests"), ".config",
            "dotnet-tools.json");
        using var tools = JsonDocument.Parse(await File.ReadAllTextAsync(manifest));
        var version = tools.RootElement.GetProperty("tools").GetProperty(Package).GetProperty("version").GetString()!;
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var program = Path.Combine(packages, Package, version, "tools", "net10.0", "any", "GarnetServer.dll");
        if (!File.Exists(program))
        {
            _ = await ChildProcess.RunAsync("dotnet", "tool", "restore", "--tool-manifest", manifest);
        }

        return program;
    }
}
