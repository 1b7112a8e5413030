using System.Diagnostics;
using System.Globalization;
using FenceGateway.Simulation.World;
using FenceGateway.TestKit;

namespace FenceGateway.Simulation.Tests;

/// <summary>
/// Fleets in virtual time, on the product's own table, fences, sessions and withdrawals (docs/testing.md, "The
/// simulated fleet").
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    /// <summary>A broken build is found within as many runs as a minute has on one slow core.</summary>
    private const int MostRuns = 2000;

    /// <summary>Of a processor's time, whatever else it does meanwhile. For a night, longer.</summary>
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(int.Parse(
        Environment.GetEnvironmentVariable("FENCEGATEWAY_SIMULATION_SECONDS") ?? "60", CultureInfo.InvariantCulture));

    /// <summary>
    /// Runs in which something was once found: wrong in the product, in a broken build that few others show, or in the
    /// simulation.
    /// </summary>
    public static TheoryData<int> OnceFailed => [7, 22, 40, 51, 63, 64, 71, 93, 115, 118, 119, 120, 129, 1162465598];

    [Fact]
    public void Run_FreshSeeds_BreaksNothing()
    {
        var seed = new RandomSeed();
        var (until, runs, requests) = (Environment.CpuUsage.TotalTime + FreshFor, 0, 0L);
        do
        {
            var run = SimulatedRun.Execute(seed.Value + runs);
            Check(run);
            requests += run.Requests;
            runs++;
        }
        while (Environment.CpuUsage.TotalTime < until);

        output.WriteLine($"{runs} runs from seed {seed.Value}, {requests} requests");
    }

    [Theory]
    [MemberData(nameof(OnceFailed))]
    public void Run_SeedThatOnceFailed_BreaksNothing(int seed) => Check(SimulatedRun.Execute(seed));

    [Theory]
    [InlineData(nameof(Flaw.NoDrain), "I3")]
    [InlineData(nameof(Flaw.DoubtIsAnEnd), "I1")]
    [InlineData(nameof(Flaw.LooksOnce), "I1")]
    [InlineData(nameof(Flaw.KernelNeverForgets), "I1")]
    [InlineData(nameof(Flaw.SessionTooLong), "I1")]
    [InlineData(nameof(Flaw.AnswersTooEarly), "I2")]
    [InlineData(nameof(Flaw.OpenWithoutStore), "I4")]
    [InlineData(nameof(Flaw.NoticeProves), "I5")]
    [InlineData(nameof(Flaw.SendsAgain), "I6")]
    [InlineData(nameof(Flaw.NeverWithdraws), "I7")]
    [InlineData(nameof(Flaw.OneFenceForAll), "I8")]
    [InlineData(nameof(Flaw.TwoSteps), "I9")]
    [InlineData(nameof(Flaw.NodeForgets), "I5")]
    public void Run_BrokenBuild_IsFound(string flaw, string rule)
    {
        var found = Enumerable.Range(1, MostRuns).Select(seed => SimulatedRun.Execute(seed, Enum.Parse<Flaw>(flaw)))
            .FirstOrDefault(run => run.Violations.Any(v => v.Rule == rule));
        found.ShouldNotBeNull($"{flaw} breaks {rule}");
        output.WriteLine($"seed {found.Seed}: {found.Violations[0]}");
    }

    /// <summary>In another process: there strings have other hashes.</summary>
    [Fact]
    public async Task Run_SameSeed_IsTheSameRun()
    {
        using var other = Process.Start(new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "FenceGateway.Simulation"),
            ["--seeds", "20", "--from", "1", "--fingerprints"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        })!;
        var said = await other.StandardOutput.ReadToEndAsync();
        await other.WaitForExitAsync();

        other.ExitCode.ShouldBe(0);
        var runs = Enumerable.Range(1, 20).Select(seed => SimulatedRun.Execute(seed)).ToArray();
        said.Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldBe(
        [
            .. runs.Select(
                run => string.Create(CultureInfo.InvariantCulture, $"seed {run.Seed}: {run.Fingerprint:x16}")),
            $"20 runs, {runs.Sum(r => r.Requests)} requests, 0 violations",
        ]);
    }

    private static void Check(SimulatedRun run) => run.Violations.ShouldBeEmpty(
        $"run again with: dotnet run -c Release --project tests/Simulation -- --seeds 1 --from {run.Seed} --trace");
}
