using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.Tests.RateLimiting;

public sealed class RateLimitRegistryTests
{
    private readonly RateLimitRegistry _registry = new(new ManualTimeProvider());

    [Fact]
    public void Apply_UnchangedPolicy_KeepsItsCount()
    {
        Apply(("PermitLimit", "3"), ("PartitionBy:0", "Header:X-Key"));
        var reference = Get();
        var before = reference.Current;

        Apply(("PermitLimit", "3"), ("PartitionBy:0", "header:X-Key"));

        Get().ShouldBeSameAs(reference);
        reference.Current.ShouldBeSameAs(before);
    }

    [Theory]
    [InlineData("PermitLimit", "4")]
    [InlineData("Window", "00:00:02")]
    [InlineData("Type", "FixedWindow")]
    [InlineData("QueueLimit", "1")]
    [InlineData("MaxPartitions", "7")]
    [InlineData("PartitionBy:0", "Header:X-Other")]
    public void Apply_ChangedPolicy_BeginsAnewForRoutesThatAlreadyUseIt(string key, string value)
    {
        (string Key, string Value)[] settings = [("PermitLimit", "3"), ("PartitionBy:0", "Header:X-Key")];
        Apply(settings);
        var reference = Get();
        var before = reference.Current;

        Apply([.. settings.Where(s => s.Key != key), (key, value)]);

        reference.Current.ShouldNotBeSameAs(before);
        reference.Current.Partitions.ShouldNotBeSameAs(before.Partitions);
    }

    [Fact]
    public void Apply_PolicyGone_RoutesThatStillUseItAreLimited()
    {
        Apply();
        var before = Get().Current;

        _registry.Apply(new Dictionary<string, RateLimitPolicy>());

        Get().Current.ShouldBeSameAs(before);
        _registry.All.ShouldHaveSingleItem();
    }

    private void Apply(params (string Key, string Value)[] settings) =>
        _registry.Apply(new Dictionary<string, RateLimitPolicy> { ["test"] = RateLimitPolicies.Of(settings) });

    private Reloadable<RateLimit> Get()
    {
        _registry.TryGet("TEST", out var reference).ShouldBeTrue();
        return reference;
    }
}
