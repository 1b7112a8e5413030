using FenceGateway.Gateway.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>
/// Routes that ASP.NET cannot route to are refused before anything is changed: once it has failed, its matcher serves
/// the old routes for ever.
/// </summary>
public sealed class RouterReloadTests
{
    private static readonly GatewaySetup WithARoute = new() { Routes = Route("old", "/old/{id}") };

    [Theory]
    [InlineData("/new/{id:uuid}", "$.ReverseProxy.Routes.new.Match.Path")]
    [InlineData("/open/{**all}", "$.ReverseProxy.Routes.open")]
    public async Task Reload_RoutesThatCannotBeMatched_IsRefusedAndEverythingGoesOn(string path, string place)
    {
        await using var gateway = await FencedGateway.StartAsync(WithARoute);
        (await gateway.GetAsync(null, "/old/1")).Status.ShouldBe(200);

        var outcome = await gateway.ReloadAsync(new GatewaySetup { Routes = Route("new", path) });

        outcome.Problems.ShouldHaveSingleItem().Path.ShouldBe(place);
        (await gateway.GetAsync(null, "/old/1")).Status.ShouldBe(200, "the last good configuration is in force, whole");
        (await gateway.GetAsync(null, "/new/1")).Status.ShouldBe(404);
        (await gateway.GetAsync(null, "/open/1")).Status.ShouldBe(200);

        (await gateway.ReloadAsync(new GatewaySetup { Routes = Route("new", "/new/{id:guid}") })).Problems
            .ShouldBeEmpty();
        (await gateway.GetAsync(null, "/old/1")).Status.ShouldBe(
            404, "an accepted reload takes the removed route away");
        (await gateway.GetAsync(null, $"/new/{Guid.Empty}")).Status.ShouldBe(200);
        (await gateway.GetAsync(null, "/new/1")).Status.ShouldBe(404);
        (await gateway.AdminGetAsync("/readyz")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Readyz_RouterCannotBeBuiltAllTheSame_IsNotReady()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.GetAsync(null)).Status.ShouldBe(200);
        (await gateway.AdminGetAsync("/readyz")).Status.ShouldBe(200);

        // Past every check, straight to YARP.
        ((InMemoryConfigProvider)gateway.Services.GetRequiredService<RouteGenerations>().Provider).Update(
            [new RouteConfig { RouteId = "new", ClusterId = "c", Match = new RouteMatch { Path = "/{id:uuid}" } }],
            [new ClusterConfig { ClusterId = "c" }]);

        var ready = await gateway.AdminGetAsync("/readyz");
        ready.Status.ShouldBe(503);
        ready.Json.GetProperty("checks").GetProperty("router").GetString()!.ShouldContain("restart the gateway");
        (await gateway.AdminGetAsync("/livez")).Status.ShouldBe(200);
    }

    private static string Route(string name, string path) => $$""" "{{name}}": { "ClusterId": "service", "Match": { "Path": "{{path}}" } } """;
}
