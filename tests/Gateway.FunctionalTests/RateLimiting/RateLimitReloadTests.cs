using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;

namespace FenceGateway.Gateway.FunctionalTests.RateLimiting;

/// <summary>A reload keeps the counts of what did not change.</summary>
public sealed class RateLimitReloadTests
{
    private const string Two = """ "Type": "FixedWindow", "PermitLimit": 2, "Window": "00:01:00" """;

    [Fact]
    public async Task Reload_OtherSettings_KeepTheCount()
    {
        await using var gateway = await LimitedGateway.StartAsync(Two);
        (await gateway.PutAsync(34)).RateLimit().Remaining.ShouldBe(1);

        (await gateway.ReloadAsync(LimitedGateway.Setup(Two) with { Policy = """ "ExposeMark": true """ })).Succeeded.ShouldBeTrue();

        (await gateway.PutAsync(34)).RateLimit().Remaining.ShouldBe(0);
        (await gateway.PutAsync(34)).ShouldBeLimited();
    }

    [Fact]
    public async Task Reload_ChangedLimit_CountsAnewForTheNextRequest()
    {
        await using var gateway = await LimitedGateway.StartAsync(Two);
        (await gateway.PutAsync(34)).RateLimit().Remaining.ShouldBe(1);

        (await gateway.ReloadAsync(LimitedGateway.Setup(""" "Type": "FixedWindow", "PermitLimit": 9, "Window": "00:01:00" """)))
            .Succeeded.ShouldBeTrue();

        (await gateway.PutAsync(34)).RateLimit().ShouldSatisfyAllConditions(
            l => l.Remaining.ShouldBe(8), l => l.Quota["q"].ShouldBe(9L));
    }

    [Fact]
    public async Task Reload_RouteTakesAnotherPolicy_YarpRebuildsIt()
    {
        await using var gateway = await LimitedGateway.StartAsync(Two);
        (await gateway.PutAsync(34)).RateLimit().Policy.ShouldBe("test");
        var changed = NextRouteChange(gateway);

        var outcome = await gateway.ReloadAsync(new GatewaySetup
        {
            Route = """ "RateLimiterPolicy": "other" """,
            Gateway = $$""" "RateLimiterPolicies": { "other": { {{Two}} } } """,
        });
        outcome.Problems.ShouldBeEmpty();
        await changed.WithinLimit("YARP to take the changed route");

        (await gateway.PutAsync(34)).RateLimit().ShouldSatisfyAllConditions(
            l => l.Policy.ShouldBe("other"), l => l.Remaining.ShouldBe(1));
    }

    [Fact]
    public async Task Reload_UnknownPolicy_IsRefusedAndTheOldOneStays()
    {
        await using var gateway = await LimitedGateway.StartAsync(Two);

        var outcome = await gateway.ReloadAsync(LimitedGateway.Setup(Two) with { Route = """ "RateLimiterPolicy": "tset" """ });

        var problem = outcome.Problems.ShouldHaveSingleItem();
        problem.Path.ShouldBe("$.ReverseProxy.Routes.orders.RateLimiterPolicy");
        problem.Message.ShouldContain("did you mean 'test'?");
        (await gateway.PutAsync(34)).RateLimit().Remaining.ShouldBe(1);
    }

    private static Task NextRouteChange(FencedGateway gateway)
    {
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var source = gateway.Services.GetRequiredService<EndpointDataSource>();
        _ = ChangeToken.OnChange(source.GetChangeToken, () => changed.TrySetResult());
        return changed.Task;
    }
}
