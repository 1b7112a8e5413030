using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Quorum;
using FenceGateway.TokenStore.Redis;
using FenceGateway.TokenStore.Tests.Quorum;
using FenceGateway.TokenStore.Tests.Redis;

namespace FenceGateway.TokenStore.Tests;

public sealed class ConformanceCoverageTests
{
    private static readonly Type[] Suites = [typeof(TokenStoreConformance<>), typeof(SharedTokenStoreConformance<>)];

    [Fact]
    public void TokenStores_InTheAssembly_AllHaveAConformanceClass()
    {
        var stores = typeof(ITokenStore).Assembly.GetTypes()
            .Where(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(ITokenStore)));
        var covered = typeof(ConformanceCoverageTests).Assembly.GetTypes()
            .Where(t => !t.IsAbstract)
            .SelectMany(BasesOf)
            .Where(b => b.IsGenericType && Suites.Contains(b.GetGenericTypeDefinition()))
            .Select(b => b.GetGenericArguments()[0]);
        stores.Except(covered).ShouldBeEmpty(
            "every store inherits TokenStoreConformance, or SharedTokenStoreConformance if several gateways can share "
                + "it");
    }

    [Fact]
    public void TokenStores_ForSeveralGateways_AreHeldToAllOfIt()
    {
        var onlyOne = typeof(ConformanceCoverageTests).Assembly.GetTypes()
            .Where(t => !t.IsAbstract && BasesOf(t).Any(
                b => b.IsGenericType && b.GetGenericTypeDefinition() == Suites[0])
                && !BasesOf(t).Any(b => b.IsGenericType && b.GetGenericTypeDefinition() == Suites[1]));
        onlyOne.ShouldBe([typeof(Embedded.EmbeddedTokenStoreConformance)], "no other store is for one gateway alone");
    }

    /// <summary>
    /// A store that works on several engines is held to all of it on each; the engine is what the class's fixture
    /// starts.
    /// </summary>
    [Theory]
    [InlineData(typeof(RedisTokenStore), typeof(RedisFixture), typeof(GarnetFixture))]
    [InlineData(typeof(QuorumTokenStore), typeof(QuorumFixture), typeof(GarnetQuorumFixture))]
    public void TokenStores_OnSeveralEngines_HaveAConformanceClassForEach(Type store, params Type[] engines) =>
        typeof(ConformanceCoverageTests).Assembly.GetTypes()
            .Where(t => !t.IsAbstract && BasesOf(t).Any(b => b.IsGenericType && b.GetGenericTypeDefinition() == Suites[1]
                && b.GetGenericArguments()[0] == store))
            .Select(t => t.GetConstructors().Single().GetParameters().Single().ParameterType)
            .ShouldBe(engines, ignoreOrder: true);

    private static IEnumerable<Type> BasesOf(Type type)
    {
        for (var b = type.BaseType; b is not null; b = b.BaseType)
        {
            yield return b;
        }
    }
}
