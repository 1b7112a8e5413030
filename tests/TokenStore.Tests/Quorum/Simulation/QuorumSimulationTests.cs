using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Tests.Quorum.Simulation;

/// <summary>Many random steps: as it is the protocol holds; with a part left out it does not, so that part is needed and looked at.</summary>
public sealed class QuorumSimulationTests(ITestOutputHelper output)
{
    /// <summary>FENCEGATEWAY_QUORUM_STEPS sets another number.</summary>
    private static readonly long Steps = long.Parse(
        Environment.GetEnvironmentVariable("FENCEGATEWAY_QUORUM_STEPS") ?? "300000", System.Globalization.CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(3, 2)]
    [InlineData(3, 3)]
    [InlineData(5, 3)]
    public void Run_OfTheProtocol_NeverAdmitsTwoTokensNorGoesBack(int nodes, int gateways) => new RandomSeed().Run(random =>
    {
        var world = new QuorumWorld(nodes, gateways, Flaw.None, random);
        world.Run(Steps);

        output.WriteLine($"{world.Admissions} admissions, highest mark {world.Answered}, {world.Losses} losses, {world.Resyncs} resyncs");
        world.Admissions.ShouldBeGreaterThan(100);
        world.Resyncs.ShouldBeGreaterThan(3);
    });

    [Theory]
    [InlineData((int)Flaw.NoAbstaining)]
    [InlineData((int)Flaw.Minority)]
    [InlineData((int)Flaw.NoWaitForSession)]
    [InlineData((int)Flaw.NoWriteBack)]
    public void Run_WithAPartLeftOut_Violates(int flaw) => new RandomSeed().Run(random =>
    {
        var world = new QuorumWorld(3, 3, (Flaw)flaw, random);
        var violation = Should.Throw<InvalidOperationException>(() => world.Run(20_000_000));
        output.WriteLine($"{(Flaw)flaw}, after {world.Steps} steps: {violation.Message}");
        violation.Message.ShouldStartWith("I");
    });
}
