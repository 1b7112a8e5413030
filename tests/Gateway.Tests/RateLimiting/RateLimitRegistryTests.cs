using FenceGateway.Gateway.RateLimiting;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.Tests.RateLimiting;

public sealed class RateLimitRegistryTests
{
    private readonly RateLimitRegistry _registry = new(new ManualTimeProvider());

    [Fact]
    public void Apply_UnchangedPolicy_KeepsItsCount()
    {
        var before = Apply(("PermitLimit", "3"), ("PartitionBy:0", "Header:X-Key"));

        Apply(("PermitLimit", "3"), ("PartitionBy:0", "header:X-Key")).ShouldBeSameAs(before);
    }

    [Theory]
    [InlineData("PermitLimit", "4")]
    [InlineData("Window", "00:00:02")]
    [InlineData("Type", "FixedWindow")]
    [InlineData("QueueLimit", "1")]
    [InlineData("MaxPartitions", "7")]
    [InlineData("PartitionBy:0", "Header:X-Other")]
    public void Apply_ChangedPolicy_BeginsAnewAndLeavesTheOldOneToItsGeneration(string key, string value)
    {
        (string Key, string Value)[] settings = [("PermitLimit", "3"), ("PartitionBy:0", "Header:X-Key")];
        var before = Apply(settings);
        var policy = before.Policy;

        var after = Apply([.. settings.Where(s => s.Key != key), (key, value)]);

        after.ShouldNotBeSameAs(before);
        after.Partitions.ShouldNotBeSameAs(before.Partitions);
        before.Policy.ShouldBeSameAs(policy);
    }

    [Fact]
    public void Apply_PolicyComesBack_KeepsItsCount()
    {
        var before = Apply();

        _registry.Apply(new Dictionary<string, RateLimitPolicy>());

        _registry.All.ShouldHaveSingleItem().ShouldBeSameAs(before);
        Apply().ShouldBeSameAs(before);
    }

    private RateLimit Apply(params (string Key, string Value)[] settings) =>
        _registry.Apply(new Dictionary<string, RateLimitPolicy> { ["test"] = RateLimitPolicies.Of(settings) })["TEST"];
}
