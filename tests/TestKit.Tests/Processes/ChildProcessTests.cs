namespace FenceGateway.TestKit.Tests.Processes;

public sealed class ChildProcessTests
{
    [Fact]
    public async Task Output_BothStreams_AreKept()
    {
        await using var process = ChildProcess.Start("sh", ["-c", "echo out; echo err >&2; exit 3"]);

        (await process.WaitForExitAsync()).ShouldBe(3);

        process.Output.ShouldBe(["out"]);
        process.Errors.ShouldBe(["err"]);
    }

    [Fact]
    public async Task Signal_Terminate_IsHandledByTheProcess()
    {
        await using var process = ChildProcess.Start(
            "sh", ["-c", "trap 'exit 7' TERM; echo ready; while :; do read line || exit 8; done"]);
        _ = await process.WaitForLineAsync(l => l == "ready");

        process.Signal(UnixSignal.Terminate);

        // dash runs the trap when its builtin read was interrupted.
        (await process.WaitForExitAsync()).ShouldBe(7);
    }

    [Fact]
    public async Task Signal_StopThenContinue_ProcessGoesOn()
    {
        await using var process = ChildProcess.Start("cat", []);
        process.Signal(UnixSignal.Stop);
        process.Signal(UnixSignal.Continue);
        process.Signal(UnixSignal.Kill);

        (await process.WaitForExitAsync()).ShouldBe(128 + 9);
    }

    [Fact]
    public async Task DisposeAsync_StoppedProcess_IsKilled()
    {
        var process = ChildProcess.Start("cat", []);
        var folder = $"/proc/{process.Id}";
        process.Signal(UnixSignal.Stop);

        await process.DisposeAsync();

        Directory.Exists(folder).ShouldBeFalse();
    }
}
