using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Tests.Quorum.Simulation;

/// <summary>
/// Many random steps: as it is the protocol holds; with a part left out it does not, so that part is needed and looked
/// at.
/// </summary>
public sealed class QuorumSimulationTests(ITestOutputHelper output)
{
    /// <summary>FENCEGATEWAY_QUORUM_STEPS sets another number.</summary>
    private static readonly long Steps = long.Parse(
        Environment.GetEnvironmentVariable("FENCEGATEWAY_QUORUM_STEPS") ?? "3000000",
        System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Then everything begins anew, with other losses: what is long over only makes a run slow.</summary>
    private const long StepsOfAWorld = 30_000;

    [Theory]
    [InlineData(3, 2)]
    [InlineData(3, 3)]
    [InlineData(4, 2)]
    [InlineData(4, 3)]
    [InlineData(5, 3)]
    public void Run_OfTheProtocol_NeverAdmitsTwoTokensNorGoesBack(int nodes, int gateways) =>
        new RandomSeed().Run(random =>
    {
        var (admissions, losses, resyncs, superseded) = (0L, 0, 0, 0);
        for (var steps = 0L; steps < Steps; steps += StepsOfAWorld)
        {
            var world = new QuorumWorld(nodes, gateways, Flaw.None, random);
            world.Run(StepsOfAWorld);
            (admissions, losses) = (admissions + world.Admissions, losses + world.Losses);
            (resyncs, superseded) = (resyncs + world.Resyncs, superseded + world.Superseded);
        }

        output.WriteLine($"{admissions} admissions, {losses} losses, {resyncs} resyncs, {superseded} superseded");
        admissions.ShouldBeGreaterThan(100);
        resyncs.ShouldBeGreaterThan(3);
        superseded.ShouldBeGreaterThan(3);
    });

    [Theory]
    [InlineData((int)Flaw.NoAbstaining)]
    [InlineData((int)Flaw.Minority)]
    [InlineData((int)Flaw.NoWaitForSession)]
    [InlineData((int)Flaw.NoWriteBack)]
    [InlineData((int)Flaw.DoubtForgotten)]
    public void Run_WithAPartLeftOut_Violates(int flaw) => new RandomSeed().Run(random =>
    {
        var steps = 0L;
        var violation = Should.Throw<InvalidOperationException>(() =>
        {
            for (; steps < 20 * Steps; steps += StepsOfAWorld)
            {
                new QuorumWorld(3, 3, (Flaw)flaw, random).Run(StepsOfAWorld);
            }
        });
        output.WriteLine($"{(Flaw)flaw}, after {steps} steps: {violation.Message}");
        violation.Message.ShouldStartWith("I");
    });
}
