namespace FenceGateway.TestKit.Tests.Processes;

public sealed class ProcessLogTests
{
    private readonly string? _collection = TestContext.Current.TestCollection?.UniqueID;

    [Fact]
    public async Task Keep_TestHasFailed_LeavesWhatItsProcessesSaid()
    {
        var file = await SayAsync("kept");

        ProcessLog.Keep(_collection).ShouldBe([file]);
        ProcessLog.RemoveEnded(_collection);
        (await File.ReadAllLinesAsync(file)).ShouldBe(["kept", "to the end"], ignoreOrder: true);
        File.Delete(file);
    }

    [Fact]
    public async Task RemoveEnded_TestHasPassed_LeavesOnlyWhatStillRuns()
    {
        await using var running = ChildProcess.Start("sh", ["-c", "echo runs; read line"]);
        _ = await running.WaitForLineAsync(line => line == "runs");
        var ended = await SayAsync("gone");

        ProcessLog.RemoveEnded(_collection);
        File.Exists(ended).ShouldBeFalse();
        File.Exists(FileOf(running)).ShouldBeTrue();
    }

    [Fact]
    public async Task Keep_TestOfAnotherCollection_TouchesNothing()
    {
        var file = await SayAsync("here");

        ProcessLog.Keep("another").ShouldBeEmpty();
        ProcessLog.RemoveEnded("another");
        File.Exists(file).ShouldBeTrue();
    }

    [Fact]
    public async Task Tail_OfAProcess_NamesItsLog()
    {
        await using var process = ChildProcess.Start("sh", ["-c", "echo said"]);
        _ = await process.WaitForExitAsync();

        process.Tail().ShouldBe($"said\nLOG: {FileOf(process)}");
    }

    private static async Task<string> SayAsync(string what)
    {
        await using var process = ChildProcess.Start("sh", ["-c", $"echo {what}; echo to the end >&2"]);
        _ = await process.WaitForExitAsync();
        return FileOf(process);
    }

    private static string FileOf(ChildProcess process) => Path.Combine(ProcessLog.Folder, $"sh-{process.Id}.log");
}
