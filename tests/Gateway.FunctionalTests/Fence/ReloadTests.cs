using FenceGateway.Gateway.Settings;
using FenceGateway.TestKit;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>A changed file is in force without a restart; a broken one changes nothing.</summary>
public sealed class ReloadTests
{
    private static readonly GatewaySetup WithMoreRoutes = new()
    {
        Routes = """
            "more": { "ClusterId": "service", "Match": { "Path": "/more/{id}" }, "Metadata": { "FencingPolicy": "per-order" } }
            """,
    };

    [Fact]
    public async Task ChangedPolicy_AppliesToTheNextRequestButNotToTheOneInFlight()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, _) = await gateway.PutHeldAsync(33);
        (await gateway.PutAsync(null)).ShouldBeProblem(428, "fencing-token-required");

        var outcome = await gateway.ReloadAsync(new GatewaySetup
        {
            Policy = """ "MissingToken": "Allow", "WriteTimeout": "00:50:00", "InDoubtHold": "00:40:00" """,
        });

        outcome.Succeeded.ShouldBeTrue();
        (await gateway.PutAsync(null)).ShouldBeServices(200);
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        (await answering33).ShouldBeProblem(504, "upstream-timeout");
        var answering34 = gateway.PutWaitingAsync(34);
        gateway.Clock.Advance(TimeSpan.Zero);
        await answering34;
        var shown = (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Json.GetProperty("inDoubt")[0];
        shown.GetProperty("until").GetDateTimeOffset().ShouldBe(gateway.Clock.GetUtcNow() + GatewaySetup.InDoubtHold);
    }

    [Fact]
    public async Task BrokenFile_TheLastGoodOneKeepsServing()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(34)).ShouldBeServices(200);

        (await gateway.ReloadAsync("{ this is no JSON")).Succeeded.ShouldBeFalse();
        var outcome = await gateway.ReloadAsync(new GatewaySetup { Policy = """ "Moed": "Off", "DrainTimeout": "soon" """ });

        outcome.Problems.Select(p => p.ToString()).ShouldContain(p => p.Contains("Moed") && p.Contains("Mode"));
        outcome.Problems.Select(p => p.ToString()).ShouldContain(p => p.Contains("DrainTimeout"));
        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        var told = (await gateway.AdminGetAsync("/admin/v1/config")).Json.GetProperty("lastReload");
        told.GetProperty("succeeded").GetBoolean().ShouldBeFalse();
        told.GetProperty("problems").GetArrayLength().ShouldBe(outcome.Problems.Count);
    }

    [Fact]
    public async Task NewRoute_IsServedAndFenced()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(33, "/more/1")).Status.ShouldBe(404);
        var changed = NextRouteChange(gateway);

        await gateway.ReloadAsync(WithMoreRoutes);
        await changed.WithinLimit("YARP to take the new routes");

        (await gateway.PutAsync(34, "/more/1")).ShouldBeServices(200);
        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
    }

    [Fact]
    public async Task RemovedPolicy_OfARouteThatNoLongerNamesIt_UnfencesTheRoute()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        var changed = NextRouteChange(gateway);

        var outcome = await gateway.ReloadAsync(new GatewaySetup
        {
            Route = """ "Metadata": {} """,
            Gateway = """ "FencingPolicies": {} """,
        });
        outcome.Succeeded.ShouldBeTrue();
        await changed.WithinLimit("YARP to take the changed route");

        (await gateway.PutAsync(33)).ShouldBeServices(200);
    }

    [Theory]
    [InlineData(""" "Resource": "order/{id}" """, "Resource", "'order/{id}' instead of 'orders/{id}'")]
    [InlineData(""" "CaseInsensitive": true """, "CaseInsensitive", "'orders/{id}' (CaseInsensitive) instead of 'orders/{id}'")]
    public async Task ChangedTemplate_WriteUnderAnOldKey_RefusesTheReloadUntilItHasEnded(
        string policy, string key, string message)
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, _) = await gateway.PutHeldAsync(33);

        await ShouldBeRefusedAsync();
        (await gateway.PutAsync(32)).ShouldBeProblem(409, "fencing-token-stale");
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        (await answering33).ShouldBeProblem(504, "upstream-timeout");
        await ShouldBeRefusedAsync();
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);

        (await gateway.ReloadAsync(new GatewaySetup { Policy = policy })).Problems.ShouldBeEmpty();
        (await gateway.PutAsync(34)).ShouldBeServices(200);

        async Task ShouldBeRefusedAsync()
        {
            var problem = (await gateway.ReloadAsync(new GatewaySetup { Policy = policy })).Problems
                .ShouldHaveSingleItem();
            problem.Path.ShouldBe($"$.FenceGateway.FencingPolicies.per-order.{key}");
            problem.Message.ShouldContain(message);
            problem.Message.ShouldContain("orders/1");
        }
    }

    [Fact]
    public async Task ChangedFile_IsNoticedOnceItHasComeToRest()
    {
        await using var gateway = await FencedGateway.StartAsync();
        var changed = NextRouteChange(gateway);
        await gateway.Clock.WaitForTimerAsync(ConfigurationWatcher.Poll);

        await gateway.WriteConfigAsync(WithMoreRoutes.Render(gateway.Service.Address));
        while (!changed.IsCompleted)
        {
            var settling = gateway.Clock.WaitForTimerAsync(ConfigurationWatcher.Quiet);
            await await Task.WhenAny(changed, settling);
            gateway.Clock.Advance(ConfigurationWatcher.Quiet);
        }

        (await gateway.PutAsync(34, "/more/1")).ShouldBeServices(200);
    }

    [Fact]
    public async Task ChangedStore_IsReportedAsNeedingARestart()
    {
        await using var gateway = await FencedGateway.StartAsync();

        var outcome = await gateway.ReloadAsync(new GatewaySetup
        {
            Store = """ "Provider": "Memory", "MaxActiveResources": 1000 """,
        });

        outcome.Succeeded.ShouldBeTrue();
        outcome.NeedsRestart.ShouldBe(["$.FenceGateway.TokenStore.MaxActiveResources"]);
    }

    private static Task NextRouteChange(FencedGateway gateway)
    {
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var source = gateway.Services.GetRequiredService<EndpointDataSource>();
        _ = ChangeToken.OnChange(source.GetChangeToken, () => changed.TrySetResult());
        return changed.Task;
    }
}
