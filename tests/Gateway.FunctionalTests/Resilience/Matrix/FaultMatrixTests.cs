namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

public sealed class FaultMatrixTests
{
    [Fact]
    public async Task Print()
    {
        foreach (var fault in MatrixFault.All)
        {
            foreach (var mechanism in Mechanism.All)
            {
                string line;
                try
                {
                    await using var run = await MatrixRun.StartAsync(mechanism);
                    var answer = await run.SendFaultyAsync(fault, "faulty");
                    var sent = run.Sent;
                    var doubt = await run.IsInDoubtAsync();
                    var outcome = string.Join(",", run.Meter.Outcomes);
                    var retries = string.Join(",", run.Meter.Of("fencegateway.retries").Select(m => m.Tags["fencegateway.reason"]));
                    var then = await run.SendHealthyAsync("faulty");
                    line = $"{fault.Name,-30} | {mechanism.Name,-15} | {answer,-30} | {sent} | {doubt} | {outcome} | {retries} | {then} | {run.Sent}";
                }
                catch (Exception e)
                {
                    line = $"{fault.Name,-30} | {mechanism.Name,-15} | {e.GetType().Name} {e.Message}";
                }
                await File.AppendAllTextAsync("/tmp/matrix.txt", line + "\n");
            }
        }
    }
}
