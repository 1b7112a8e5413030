using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TestKit;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Tests.Resilience.Bulkheads;

public sealed class BulkheadRegistryTests
{
    private static readonly RouteConfig Orders = new() { RouteId = "orders", ClusterId = "service" };
    private static readonly RouteConfig Invoices = new() { RouteId = "invoices", ClusterId = "service" };
    private static readonly BulkheadPolicy Plain = new(64, 32, TimeSpan.FromSeconds(1), null, null);
    private static readonly BulkheadPolicy PerResource =
        Plain with { PerResource = new(8, 16, TimeSpan.FromSeconds(1)) };
    private readonly BulkheadRegistry _registry;

    public BulkheadRegistryTests()
    {
        var time = new ManualTimeProvider();
        _registry = new BulkheadRegistry(new FencesForTests(time).Waiters, time);
    }

    [Fact]
    public void Apply_NoPolicy_IsNoBulkhead() => _registry.Apply(Orders, own: null, clusters: null).ShouldBeNull();

    [Fact]
    public void Apply_PolicyOfTheCluster_RoutesShareItsBulkheadAndHaveResourcesOfTheirOwn()
    {
        var orders = _registry.Apply(Orders, own: null, PerResource).ShouldNotBeNull();
        var invoices = _registry.Apply(Invoices, own: null, PerResource).ShouldNotBeNull();

        orders.Cluster.ShouldNotBeNull().ShouldBeSameAs(invoices.Cluster);
        orders.Resources.ShouldNotBeNull().ShouldNotBeSameAs(invoices.Resources);
        (orders.Route, invoices.Route).ShouldBe((null, null));
    }

    [Fact]
    public void Apply_RoutesPolicyIsSilentOnResources_TheClustersCounts()
    {
        var orders = _registry.Apply(Orders, Plain, PerResource).ShouldNotBeNull();

        orders.Route.ShouldNotBeNull().ShouldNotBeSameAs(orders.Cluster);
        orders.Resources.ShouldNotBeNull().Policy.ShouldBe(PerResource.PerResource);
    }

    [Fact]
    public void Apply_AgainWithOtherLimits_KeepsThePlacesInUse()
    {
        var before = _registry.Apply(Orders, PerResource, clusters: null).ShouldNotBeNull();
        before.Route!.TryEnter();

        _registry.Apply(Orders, own: null, clusters: null).ShouldBeNull();
        var after = _registry.Apply(Orders, PerResource with { PermitLimit = 2 }, clusters: null).ShouldNotBeNull();

        after.Route.ShouldBeSameAs(before.Route);
        after.Resources.ShouldBeSameAs(before.Resources);
        (after.Route!.InUse, after.Route.Limit).ShouldBe((1, 2));
    }
}
