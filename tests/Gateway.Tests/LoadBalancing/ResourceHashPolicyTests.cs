using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.LoadBalancing;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Tests.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Memory;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging.Abstractions;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Tests.LoadBalancing;

public sealed class ResourceHashPolicyTests
{
    private static readonly DestinationState[] Destinations =
        [.. Enumerable.Range(0, 8).Select(i => new DestinationState($"d{i}"))];

    private readonly ResourceHashPolicy _policy = new();

    [Fact]
    public void PickDestination_WriteAndReadOfOneResource_GoToOneDestination()
    {
        for (var i = 0; i < 100; i++)
        {
            var write = Request($"/orders/{i}/lines/1", id: $"{i}", fenced: true);
            Present(write, $"orders/{i}");
            var read = Request($"/orders/{i}", id: $"{i}", fenced: true);

            Pick(read).ShouldBe(Pick(write));
            Pick(write).ShouldBe(PickOf($"orders/{i}"));
        }
    }

    [Fact]
    public void PickDestination_NoFencingPolicy_ThePathIsTheKey() =>
        Pick(Request("/static/logo.svg", id: null, fenced: false))
            .ShouldBe(PickOf("/static/logo.svg"));

    [Fact]
    public void PickDestination_KeyCannotBeRendered_ThePathIsTheKey() =>
        Pick(Request("/orders", id: null, fenced: true)).ShouldBe(PickOf("/orders"));

    [Fact]
    public void PickDestination_NoneOrOne_NeedsNoKey()
    {
        var context = Request("/orders", id: null, fenced: false);

        _policy.PickDestination(context, new ClusterState("c"), []).ShouldBeNull();
        _policy.PickDestination(context, new ClusterState("c"), Destinations[..1])?.DestinationId.ShouldBe("d0");
    }

    private string? Pick(HttpContext context) =>
        _policy.PickDestination(context, new ClusterState("c"), Destinations)?.DestinationId;

    private static string PickOf(string key) => Rendezvous.Pick(Rendezvous.Hash(key), Destinations).DestinationId;

    private static DefaultHttpContext Request(string path, string? id, bool fenced)
    {
        var context = new DefaultHttpContext();
        context.Request.Path = path;
        context.Request.RouteValues = new RouteValueDictionary { ["id"] = id };
        context.Features.Set(new GatewayRequest { CorrelationId = "1", CorrelationHeader = "X-Correlation-Id" });
        var metadata = fenced ? new EndpointMetadataCollection(Policy()) : EndpointMetadataCollection.Empty;
        context.SetEndpoint(new Endpoint(null, metadata, "test"));
        return context;
    }

    /// <summary>As the fence leaves a write that has a token.</summary>
    private static void Present(HttpContext context, string resource)
    {
        var time = new ManualTimeProvider();
        var table = new FenceTable(
            TestSession.Open(new MemoryTokenStore(time, NullLogger<MemoryTokenStore>.Instance), time), time, 10);
        FencingToken.TryParse("1", out var token).ShouldBeTrue();
        context.Features.Get<GatewayRequest>()!.Present(Policy(), table.Get(resource), token, isWrite: true);
    }

    private static FencingPolicy Policy() => FencingPolicies.Of(new FencingPolicyOptions { Resource = "orders/{id}" });
}
