using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Idempotency;

/// <summary>Nothing newer is let go by unseen: a replay shows its token to the fence (R18).</summary>
public sealed class ReplayFenceTests
{
    [Fact]
    public async Task NewerToken_GetsAReplay_OlderWritesAreStaleFromThenOn()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        var first = await gateway.PostFencedAsync(33, "k");

        (await gateway.PostFencedAsync(34, "k")).ShouldBeReplay(first);

        (await gateway.PostFencedAsync(33, "late")).ShouldBeProblem(409, "fencing-token-stale");
        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        var shown = (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Json;
        (shown.GetProperty("mark").GetInt64(), shown.GetProperty("inFlight").GetInt32()).ShouldBe((34, 0));
        gateway.Service.Entries.ShouldHaveSingleItem().Token.ShouldBe(33);
    }

    [Fact]
    public async Task NewerToken_OlderWriteInFlight_IsReplayedWhenItHasEnded()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        var first = await gateway.PostFencedAsync(33, "k");
        await gateway.Service.NextArrivalAsync();
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);

        var repeat = gateway.PostFencedAsync(34, "k");
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.DrainTimeout);
        repeat.IsCompleted.ShouldBeFalse();
        held33.Release();

        (await repeat).ShouldBeReplay(first);
        (await answering33).ShouldBeServices(200);
    }

    [Fact]
    public async Task NewerToken_OlderWriteDoesNotEnd_503AndTheAnswerIsKept()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        var first = await gateway.PostFencedAsync(33, "k");
        await gateway.Service.NextArrivalAsync();
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);

        var repeat = gateway.PostFencedAsync(34, "k");
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.DrainTimeout);
        gateway.Clock.Advance(GatewaySetup.DrainTimeout);
        var refused = await repeat;
        refused.ShouldBeProblem(503, "fence-draining");
        refused.RetryAfter.ShouldNotBeNull();
        held33.Release();
        await answering33;

        (await gateway.PostFencedAsync(34, "k")).ShouldBeReplay(first);
    }

    [Fact]
    public async Task NoToken_GetsAReplay()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        var first = await gateway.PostFencedAsync(33, "k");

        (await gateway.PostAsync("k", path: "/orders/1")).ShouldBeReplay(first);
    }

    [Fact]
    public async Task MalformedToken_400()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        (await gateway.PostFencedAsync(33, "k")).ShouldBeServices(200);

        var repeat = await gateway.SendAsync(
            new Keyed { Key = "k", Path = "/orders/1", Headers = [("Fencing-Token", "034")] });

        repeat.ShouldBeProblem(400, "fencing-token-malformed");
    }

    [Theory]
    [InlineData("Report", 200)]
    [InlineData("Off", 200)]
    [InlineData("Enforce", 409)]
    public async Task Policy_OnlyOneInForceRefuses(string mode, int late)
    {
        await using var gateway = await FencedGateway.StartAsync(KeyedGateway.Setup() with { Policy = $$""" "Mode": "{{mode}}" """ });
        var first = await gateway.PostFencedAsync(33, "k");

        (await gateway.PostFencedAsync(34, "k")).ShouldBeReplay(first);

        (await gateway.PutAsync(33)).Status.ShouldBe(late);
    }

    [Theory]
    [InlineData(200, 409)]
    [InlineData(500, 200)]
    public async Task AdvanceOnSuccess_OnlyAStoredSuccessAdvances(int stored, int late)
    {
        await using var gateway = await FencedGateway.StartAsync(KeyedGateway.Setup() with { Policy = """ "AdvanceOn": "Success" """ });
        gateway.Service.Script = _ => ServiceAction.Apply(stored);
        var first = await gateway.PostFencedAsync(33, "k");
        gateway.Service.Script = _ => ServiceAction.Apply();

        (await gateway.PostFencedAsync(34, "k")).ShouldBeReplay(first);

        (await gateway.PutAsync(33)).Status.ShouldBe(late);
    }

    [Fact]
    public async Task HeaderThatNamesTheResource_Another_IsAnotherRequest()
    {
        await using var gateway = await FencedGateway.StartAsync(KeyedGateway.Setup() with { Policy = """ "Resource": "orders/{header:X-Order}" """ });
        var one = new Keyed { Key = "k", Path = "/orders/1", Headers = [("Fencing-Token", "33"), ("X-Order", "1")] };
        var first = await gateway.SendAsync(one);

        (await gateway.SendAsync(one with { Headers = [("Fencing-Token", "33"), ("X-Order", "2")] })).ShouldBeProblem(
            422, "idempotency-key-reused");
        (await gateway.SendAsync(one)).ShouldBeReplay(first);
    }
}
