using FenceGateway.Gateway.Problems;

namespace FenceGateway.Architecture.Tests;

public sealed class PublicTypesTests
{
    /// <summary>
    /// The gateway is a program, not a library: public is its entry point and the enums that its options are made of.
    /// </summary>
    private static readonly string[] Allowed =
    [
        "Program",
        "FenceGateway.Gateway.Fencing.AdvanceOn",
        "FenceGateway.Gateway.Fencing.FenceBarrier",
        "FenceGateway.Gateway.Fencing.FencedReads",
        "FenceGateway.Gateway.Fencing.FencingMode",
        "FenceGateway.Gateway.Fencing.MissingTokenAction",
    ];

    [Fact]
    public void Gateway_ItsPublicTypes_AreTheListedOnes() =>
        typeof(ProblemType).Assembly.GetExportedTypes().Select(type => type.FullName!).Except(Allowed).ShouldBeEmpty();
}
