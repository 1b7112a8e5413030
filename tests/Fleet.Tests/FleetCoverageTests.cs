using FenceGateway.TokenStore;

namespace FenceGateway.Fleet.Tests;

public sealed class FleetCoverageTests
{
    /// <summary>For one gateway alone.</summary>
    private static readonly string[] NotShared = ["Embedded", "Memory"];

    [Fact]
    public void TokenStores_ThatGatewaysShare_AllHaveAFleet()
    {
        var shared = typeof(ITokenStore).Assembly.GetTypes()
            .Where(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(ITokenStore)))
            .Select(t => t.Name[..^"TokenStore".Length])
            .Except(NotShared);

        var tested = typeof(FleetTests).Assembly.GetTypes()
            .Where(t => t.IsSubclassOf(typeof(FleetTests)))
            .Select(t => t.Name[..^nameof(FleetTests).Length]);

        tested.Order(StringComparer.Ordinal).ShouldBe(shared.Order(StringComparer.Ordinal));
    }
}
