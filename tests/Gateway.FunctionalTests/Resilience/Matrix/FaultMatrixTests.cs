namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

/// <summary>
/// Each fault against each mechanism: what the client sees, how often the service got the request, whether the write is
/// in doubt (R5), what was counted, and what the next request gets.
/// </summary>
public sealed class FaultMatrixTests
{
    public static TheoryData<string, string> Combinations()
    {
        var combinations = new TheoryData<string, string>();
        foreach (var fault in MatrixFault.All)
        {
            foreach (var mechanism in Mechanism.All)
            {
                combinations.Add(fault.Name, mechanism.Name);
            }
        }

        return combinations;
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task Fault_HitsOnce_EndsAsTheTableSays(string faultName, string mechanismName)
    {
        var fault = MatrixFault.All.Single(f => f.Name == faultName);
        var mechanism = Mechanism.All.Single(m => m.Name == mechanismName);
        var expected = FaultMatrix.Find(faultName, mechanismName);
        await using var run = await MatrixRun.StartAsync(mechanism);

        var answer = await run.SendFaultyAsync(fault);

        var (sent, inDoubt) = (run.Sent, await run.IsInDoubtAsync());
        var then = await run.SendHealthyAsync();
        new FaultMatrix.Row(answer, sent, inDoubt, then, run.Counted).ShouldBe(expected);
        run.Sent.ShouldBe(then == "200" ? 1 : 0, "sends of the second request");
        run.Meter.Outcomes.ShouldAllBe(
            o => o == "admitted" || o == "replayed",
            "a mechanism is no reason to refuse a write with the current token");
    }

    [Fact]
    public void Table_EachCombination_IsThereOnce() =>
        FaultMatrix.Keys.Order().ShouldBe(Combinations().Select(row => (row.Data.Item1, row.Data.Item2)).Order());
}
