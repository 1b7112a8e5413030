namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

public sealed class DebugTests
{
    [Fact]
    public async Task Print()
    {
        var fault = MatrixFault.All.First(f => f.Name == Environment.GetEnvironmentVariable("MFAULT"));
        for (var i = 0; i < 60; i++)
        {
            foreach (var mechanism in Mechanism.All.Where(m => m.Name == Environment.GetEnvironmentVariable("MMECH")))
            {
                string line;
                try
                {
                    await using var run = await MatrixRun.StartAsync(mechanism);
                    var t0 = run.Gateway.Clock.GetTimestamp();
                    var answer = await run.SendFaultyAsync(fault, "faulty");
                    line = $"{fault.Name,-30} | {mechanism.Name,-15} | {answer,-30} | {run.Sent} | passed {TimeSpan.FromTicks(run.Gateway.Clock.GetTimestamp() - t0)}";
                }
                catch (Exception e)
                {
                    line = $"{fault.Name,-30} | {mechanism.Name,-15} | {e}";
                }
                await File.AppendAllTextAsync("/tmp/matrix2.txt", line + "\n");
            }
        }
    }
}
