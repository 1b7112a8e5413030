using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.Overload;
using FenceGateway.TestKit;
using Microsoft.Extensions.DependencyInjection;

namespace FenceGateway.Gateway.FunctionalTests.Overload;

/// <summary>Above its limit the gateway turns requests away at once, and is as before when the load has gone.</summary>
public sealed class OverloadTests
{
    private static readonly GatewaySetup TwoAtOnce = new()
    {
        Gateway = """ "Limits": { "MaxInFlight": 2, "RetryAfter": "00:00:03" } """,
    };

    [Fact]
    public async Task Request_AboveTheLimit_IsTurnedAwayUntilOneHasEnded()
    {
        await using var gateway = await FencedGateway.StartAsync(TwoAtOnce);
        using var meter = new MeterRecorder(gateway);
        gateway.HoldAll();
        var (first, firstArrival) = await gateway.PutHeldAsync(34);
        var (second, secondArrival) = await gateway.PutHeldAsync(34, "/open/1");
        meter.Observe("fencegateway.overload.in_flight").ShouldBe(2);

        var shed = await gateway.PutAsync(34);

        shed.ShouldBeProblem(503, "overloaded");
        shed.RetryAfter.ShouldBe(3);
        shed.Headers.Keys.ShouldContain("X-Correlation-Id");
        shed.Headers["Proxy-Status"].ShouldStartWith("fencegateway");
        (await gateway.GetAsync(null, "/no/such/route")).ShouldBeProblem(503, "overloaded");
        meter.Of("fencegateway.overload.shed").Sum(m => m.Value).ShouldBe(2);
        meter.Observe("fencegateway.overload.limit").ShouldBe(2);
        gateway.Service.Entries.Count.ShouldBe(2);

        firstArrival.Release();
        (await first).ShouldBeServices(200);
        gateway.Service.Script = _ => ServiceAction.Apply();
        (await gateway.PutAsync(35, "/orders/2")).ShouldBeServices(200);
        secondArrival.Release();
        (await second).ShouldBeServices(200);
        gateway.Services.GetRequiredService<InFlightRequests>().Count.ShouldBe(0);
    }

    [Fact]
    public async Task Saturated_ProbesAndAdministration_AreAnswered()
    {
        await using var gateway = await FencedGateway.StartAsync(TwoAtOnce);
        gateway.HoldAll();
        var (_, _) = await gateway.PutHeldAsync(34);
        var (_, _) = await gateway.PutHeldAsync(34);
        (await gateway.PutAsync(34)).ShouldBeProblem(503, "overloaded");

        (await gateway.AdminGetAsync("/livez")).Status.ShouldBe(200);
        (await gateway.AdminGetAsync("/readyz")).Status.ShouldBe(200);
        (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Json.GetProperty("inFlight").ToString()
            .ShouldNotBe("0");
    }

    [Fact]
    public async Task Reload_HigherLimit_AppliesAtOnce()
    {
        await using var gateway = await FencedGateway.StartAsync(TwoAtOnce);
        gateway.HoldAll();
        var (_, _) = await gateway.PutHeldAsync(34);
        var (_, _) = await gateway.PutHeldAsync(34);
        (await gateway.PutAsync(34)).ShouldBeProblem(503, "overloaded");

        await gateway.ReloadAsync(TwoAtOnce with { Gateway = """ "Limits": { "MaxInFlight": 3 } """ });

        var (third, arrival) = await gateway.PutHeldAsync(34);
        arrival.Release();
        (await third).ShouldBeServices(200);
    }

    [Fact]
    public async Task Request_ThatFailsOrIsRefused_LeavesItsPlace()
    {
        await using var gateway = await FencedGateway.StartAsync(TwoAtOnce);
        gateway.Service.Script = _ => ServiceAction.Reset(applied: false);

        for (var i = 0; i < 5; i++)
        {
            (await gateway.PutAsync(34, "/open/1")).ShouldBeProblem(502, "upstream-unreachable");
            (await gateway.PutAsync(null)).ShouldBeProblem(428, "fencing-token-required");
            (await gateway.GetAsync(null, "/no/such/route")).Status.ShouldBe(404);
        }

        gateway.Services.GetRequiredService<InFlightRequests>().Count.ShouldBe(0);
    }

    [Fact]
    public async Task Reload_OtherConnectionLimit_IsReportedAsNeedingARestart()
    {
        await using var gateway = await FencedGateway.StartAsync();

        var outcome = await gateway.ReloadAsync(new GatewaySetup { Gateway = """ "Limits": { "MaxConnections": 5 } """ });

        outcome.NeedsRestart.ShouldBe(["$.FenceGateway.Limits.MaxConnections"]);
    }

    [Fact]
    public async Task Reload_WrongKestrelLimit_IsRefused()
    {
        await using var gateway = await FencedGateway.StartAsync();

        var outcome = await gateway.ReloadAsync(new GatewaySetup
        {
            Root = """ "Kestrel": { "Limits": { "MinRequestBodyDataRate": { "BytesPerSecond": "fast" } } } """,
        });

        outcome.Problems.ShouldHaveSingleItem().Path.ShouldBe("$.Kestrel");
    }
}
