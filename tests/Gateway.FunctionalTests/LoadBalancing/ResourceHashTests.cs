using System.Text.Json.Nodes;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.LoadBalancing;
using FenceGateway.TestKit;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.FunctionalTests.LoadBalancing;

/// <summary>A resource stays on its destination, and moves only when that one goes.</summary>
public sealed class ResourceHashTests : IAsyncLifetime
{
    private const int Resources = 40;

    private readonly JournalService[] _services = new JournalService[3];

    public async ValueTask InitializeAsync()
    {
        for (var i = 0; i < _services.Length; i++)
        {
            _services[i] = await JournalService.StartAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services)
        {
            await service.DisposeAsync();
        }
    }

    [Fact]
    public async Task Requests_OfOneResource_StayOnItsDestination()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup("a", "b"));

        for (var i = 0; i < Resources; i++)
        {
            (await gateway.PutAsync(1, $"/orders/{i}")).ShouldBeServices(200);
            (await gateway.PutAsync(2, $"/orders/{i}/lines/7?x=1")).ShouldBeServices(200);
            (await gateway.GetAsync(null, $"/orders/{i}")).ShouldBeServices(200);
            (await gateway.GetAsync(2, $"/orders/{i}/lines")).ShouldBeServices(200);
        }

        for (var i = 0; i < Resources; i++)
        {
            var expected = IndexOf(["a", "b"], $"orders/{i}");
            RequestsAt(expected, i).ShouldBe(4);
            RequestsAt(1 - expected, i).ShouldBe(0);
        }

        _services[0].Entries.ShouldNotBeEmpty();
        _services[1].Entries.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Reload_DestinationRemoved_OnlyItsResourcesMove()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup("a", "b", "c"));
        var before = await PlacesAsync(gateway);

        await ReloadAsync(gateway, Setup("a", "c"));
        var after = await PlacesAsync(gateway);

        var (stayed, moved) = (before.Where(p => p.Value != 1), before.Where(p => p.Value == 1).ToArray());
        stayed.ShouldAllBe(p => after[p.Key] == p.Value);
        moved.ShouldNotBeEmpty();
        moved.ShouldAllBe(p => after[p.Key] != 1);
    }

    [Fact]
    public async Task Reload_UnknownPolicy_IsRefused()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup("a", "b"));

        var outcome = await gateway.ReloadAsync(Setup("a", "b") with { Cluster = """ "LoadBalancingPolicy": "RessourceHash" """ });

        outcome.Succeeded.ShouldBeFalse();
        outcome.Problems.Select(p => p.ToString()).ShouldContain(p => p.Contains("RessourceHash"));
    }

    /// <summary>Where each resource is now.</summary>
    private async Task<Dictionary<int, int>> PlacesAsync(FencedGateway gateway)
    {
        Dictionary<int, int> places = [];
        for (var i = 0; i < Resources; i++)
        {
            var before = _services.Select(s => s.Entries.Count).ToArray();
            (await gateway.PutAsync(1, $"/orders/{i}")).ShouldBeServices(200);
            places[i] = Array.FindIndex(_services, s => s.Entries.Count > before[Array.IndexOf(_services, s)]);
        }

        return places;
    }

    private static async Task ReloadAsync(FencedGateway gateway, GatewaySetup setup)
    {
        // A further route tells when YARP has taken the file; it takes clusters before routes.
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var source = gateway.Services.GetRequiredService<EndpointDataSource>();
        using var following = ChangeToken.OnChange(source.GetChangeToken, () => changed.TrySetResult());
        (await gateway.ReloadAsync(setup with
        {
            Routes = """ "more": { "ClusterId": "service", "Match": { "Path": "/more" } } """,
        })).Succeeded.ShouldBeTrue();
        await changed.Task.WithinLimit("YARP to take the changed clusters");
    }

    private GatewaySetup Setup(params string[] ids) => new()
    {
        Cluster = $$"""
            "LoadBalancingPolicy": "ResourceHash",
            "Destinations": {{new JsonObject(ids.Select(id => KeyValuePair.Create(
                id, (JsonNode?)new JsonObject { ["Address"] = _services[id[0] - 'a'].Address.ToString() }))).ToJsonString()}}
            """,
    };

    private int RequestsAt(int service, int resource) =>
        _services[service].Entries.Count(
            e => e.Target == $"/orders/{resource}"
                || e.Target.StartsWith($"/orders/{resource}/", StringComparison.Ordinal));

    private static int IndexOf(string[] ids, string resource) => Rendezvous
        .Pick(Rendezvous.Hash(resource), [.. ids.Select(id => new DestinationState(id))]).DestinationId[0] - 'a';
}
