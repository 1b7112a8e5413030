using FenceGateway.TokenStore.Conformance;

namespace FenceGateway.TokenStore.Tests;

public sealed class ConformanceCoverageTests
{
    [Fact]
    public void TokenStores_InTheAssembly_AllHaveAConformanceClass()
    {
        var stores = typeof(ITokenStore).Assembly.GetTypes()
            .Where(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(ITokenStore)));
        var covered = typeof(ConformanceCoverageTests).Assembly.GetTypes()
            .Select(t => t.BaseType)
            .Where(b => b is { IsGenericType: true } && b.GetGenericTypeDefinition() == typeof(TokenStoreConformance<>))
            .Select(b => b!.GetGenericArguments()[0]);
        stores.Except(covered).ShouldBeEmpty("every store inherits TokenStoreConformance");
    }
}
