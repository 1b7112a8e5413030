using System.Globalization;
using System.Net;
using System.Text.Json;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Crash;

/// <summary>The embedded store of a real process, with what disks and operators do to it.</summary>
public sealed class StoreFaultTests : IAsyncLifetime
{
    /// <summary>Of a segment: what stands before its first frame.</summary>
    private const int SegmentHeader = 48;

    private JournalService _service = null!;
    private RecordingClient _client = null!;
    private GatewayFiles _files = null!;

    public async ValueTask InitializeAsync()
    {
        _service = await JournalService.StartAsync();
        _client = new RecordingClient(_service.Clock);
        _files = new GatewayFiles(_service.Address);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _service.DisposeAsync();
        _files.Dispose();
    }

    [Fact]
    public async Task Enter_DiskFull_NewTokensAreRefusedUntilThereIsRoom()
    {
        await using var gateway = await GatewayProcess.StartAsync(OnFullDisk);
        (await PutAsync(gateway, "known", 34)).Status.ShouldBe(200);
        var refused = await FillAsync(gateway);

        var fresh = await PutAsync(gateway, "fresh", 1);
        var newer = await PutAsync(gateway, "known", 35);
        var stale = await PutAsync(gateway, "known", 33);

        (refused.Status, refused.Problem).ShouldBe((503, "token-store-unavailable"));
        (fresh.Status, fresh.Problem).ShouldBe((503, "token-store-unavailable"));
        (newer.Status, newer.Problem).ShouldBe((503, "token-store-unavailable"));
        (stale.Status, stale.Problem).ShouldBe((409, "fencing-token-stale"));
        (await ReadinessAsync(gateway)).ShouldBe(HttpStatusCode.ServiceUnavailable);

        await LiftFileLimitAsync(gateway.Id);
        _ = await gateway.WaitForLineAsync(l => l.Contains("the log can be written again", StringComparison.Ordinal));

        (await ReadinessAsync(gateway)).ShouldBe(HttpStatusCode.OK);
        (await PutAsync(gateway, "known", 35)).Status.ShouldBe(200);
        (await PutAsync(gateway, "known", 34)).Status.ShouldBe(409);
        HistoryChecker.Check(_service.Writes, _client.Answers).ShouldBeEmpty();
    }

    [Fact]
    public async Task Start_DiskWasFullBeforeAKill_EveryAdmittedMarkIsThere()
    {
        await using (var full = await GatewayProcess.StartAsync(OnFullDisk))
        {
            (await PutAsync(full, "known", 34)).Status.ShouldBe(200);
            (await FillAsync(full)).Status.ShouldBe(503);
            await full.KillAsync();
        }

        await using var gateway = await GatewayProcess.StartAsync(Options);

        // Of what was admitted while the disk filled up, the last counts most: it must not have gone out before it was
        // written.
        foreach (var admitted in _client.Answers.Where(a => a.Status == 200))
        {
            var late = await _client.SendAsync(gateway.Address, HttpMethod.Put, admitted.Resource, admitted.Token - 1);
            late.Problem.ShouldBe("fencing-token-stale");
        }

        (await PutAsync(gateway, "known", 34)).Status.ShouldBe(200);
        HistoryChecker.Check(_service.Writes, _client.Answers).ShouldBeEmpty();
    }

    [Fact]
    public async Task Start_FolderInUse_ExitsAndNamesTheOtherProcess()
    {
        await using var first = await GatewayProcess.StartAsync(Options);
        (await PutAsync(first, "1", 34)).Status.ShouldBe(200);

        await using var second = GatewayProcess.Launch(Options);

        (await second.WaitForExitAsync()).ShouldBe(1);
        ErrorOf(second).ShouldContain($"in use by process {first.Id}:");
        ErrorOf(second).ShouldContain(_files.Tokens);
        ErrorOf(second).ShouldNotContain("   at ");
        (await PutAsync(first, "1", 35)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Start_LastWriteTorn_StartsWithoutItAndSaysSo()
    {
        await WriteAndKillAsync(33, 34);
        var segment = Segments()[^1];
        using (var file = File.OpenWrite(segment))
        {
            file.SetLength(file.Length - 3);
        }

        await using var gateway = await GatewayProcess.StartAsync(Options);

        var report = gateway.Log.Single(l => MessageOf(l).Contains("was not finished", StringComparison.Ordinal));
        report.GetProperty("level").GetString().ShouldBe("Warning");
        MessageOf(report).ShouldContain(segment);
        Directory.GetFiles(_files.Tokens, "*.torn").Length.ShouldBe(1);
        (await PutAsync(gateway, "1", 32)).Status.ShouldBe(409);
        (await PutAsync(gateway, "1", 33)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Start_LogDamagedInTheMiddle_RefusesAndSaysWhere()
    {
        await WriteAndKillAsync(33, 34, 35);
        var segment = Segments()[^1];
        var bytes = await File.ReadAllBytesAsync(segment);
        bytes[SegmentHeader + 30] ^= 1;
        await File.WriteAllBytesAsync(segment, bytes);

        await using var gateway = GatewayProcess.Launch(Options);

        (await gateway.WaitForExitAsync()).ShouldBe(1);
        ErrorOf(gateway).ShouldContain($"The token store is damaged: {segment}, offset {SegmentHeader}:");
        ErrorOf(gateway).ShouldContain("Restore the folder from a backup");
        ErrorOf(gateway).ShouldNotContain("   at ");
        (await File.ReadAllBytesAsync(segment)).ShouldBe(bytes);
    }

    [Fact]
    public async Task Start_SegmentMissing_RefusesAndNamesIt()
    {
        await WriteAndKillAsync(34);
        await (await GatewayProcess.StartAsync(Options)).DisposeAsync();
        var first = Segments()[0];
        File.Delete(first);

        await using var gateway = GatewayProcess.Launch(Options);

        (await gateway.WaitForExitAsync()).ShouldBe(1);
        ErrorOf(gateway).ShouldContain($"{first} is missing");
    }

    [Fact]
    public async Task Start_FolderCannotBeMade_ExitsAndNamesIt()
    {
        await File.WriteAllTextAsync(_files.Tokens, "a file where the folder should be");

        await using var gateway = GatewayProcess.Launch(Options);

        (await gateway.WaitForExitAsync()).ShouldBe(1);
        ErrorOf(gateway).ShouldContain(_files.Tokens);
        ErrorOf(gateway).ShouldNotContain("   at ");
    }

    private GatewayProcessOptions Options => new() { ConfigFile = _files.ConfigFile };

    /// <summary>
    /// Files may not grow beyond 4 KiB: a write fails with EFBIG, much as it does with ENOSPC on a full disk, and needs
    /// no rights. Only the soft limit, so that it can be lifted. The runtime's double mapping of code would fall under
    /// it as well.
    /// </summary>
    private GatewayProcessOptions OnFullDisk => new()
    {
        ConfigFile = _files.ConfigFile,
        Through = ["bash", "-c", "trap '' XFSZ; ulimit -S -f 4; exec \"$@\"", "bash"],
        Environment = new Dictionary<string, string?> { ["DOTNET_EnableWriteXorExecute"] = "0" },
    };

    private static string MessageOf(JsonElement entry) => entry.GetProperty("message").GetString() ?? "";

    private static string ErrorOf(GatewayProcess gateway) => string.Join('\n', gateway.Errors);

    private Task<GatewayAnswer> PutAsync(GatewayProcess gateway, string id, long token) =>
        _client.SendAsync(gateway.Address, HttpMethod.Put, $"/orders/{id}", token);

    /// <summary>
    /// Writes with each of the tokens, so that each has a frame of its own, and ends without a close.
    /// </summary>
    private async Task WriteAndKillAsync(params long[] tokens)
    {
        await using var gateway = await GatewayProcess.StartAsync(Options);
        foreach (var token in tokens)
        {
            (await PutAsync(gateway, "1", token)).Status.ShouldBe(200);
        }

        await gateway.KillAsync();
    }

    /// <summary>Raises marks until the log takes no more; the first refusal.</summary>
    private async Task<GatewayAnswer> FillAsync(GatewayProcess gateway)
    {
        for (var i = 0; i < 100; i++)
        {
            var answer = await PutAsync(gateway, $"{i}-{new string('x', 200)}", 2);
            if (answer.Status != 200)
            {
                return answer;
            }
        }

        throw new InvalidOperationException("The limit of the file size had no effect");
    }

    private static async Task<HttpStatusCode> ReadinessAsync(GatewayProcess gateway)
    {
        using var client = new HttpClient { BaseAddress = gateway.AdminAddress };
        using var response = await client.GetAsync(new Uri("readyz", UriKind.Relative));
        return response.StatusCode;
    }

    private static async Task LiftFileLimitAsync(int pid)
    {
        await using var prlimit = ChildProcess.Start(
            "prlimit", ["--pid", pid.ToString(CultureInfo.InvariantCulture), "--fsize=unlimited"]);
        (await prlimit.WaitForExitAsync()).ShouldBe(0, prlimit.Tail());
    }

    /// <summary>The log's files, oldest first.</summary>
    private string[] Segments() => [.. Directory.GetFiles(_files.Tokens, "wal-*.log").Order(StringComparer.Ordinal)];
}
