namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>
/// What is counted, and that tags come from closed sets: never the resource, the token or the tenant.
/// </summary>
public sealed class FenceMetricsTests
{
    private static readonly string[] Outcomes =
    [
        "admitted", "in_doubt", "read", "unfenced", "stale", "draining", "store_unavailable", "token_missing",
        "token_malformed",
        "ambiguous_target", "cross_resource", "upgrade_refused", "shutting_down", "abandoned",
    ];

    [Fact]
    public async Task Requests_OfEveryKind_AreCountedWithTagsFromClosedSets()
    {
        await using var gateway = await FencedGateway.StartAsync();
        using var meter = new MeterRecorder(gateway);
        gateway.Hold(33);

        await gateway.GetAsync(null, "/orders/secret-resource");
        await gateway.PutAsync(null, "/orders/secret-resource");
        await gateway.PutAsync(-7, "/orders/secret-resource");
        var (answering33, _) = await gateway.PutHeldAsync(33);
        var answering987654 = await gateway.PutWaitingAsync(987654);
        gateway.Clock.Advance(GatewaySetup.DrainTimeout);
        await answering987654;
        await gateway.PutAsync(33);
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        await answering33;
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);
        await gateway.PutAsync(987654);

        meter.Outcomes.ShouldBe(
            ["read", "token_missing", "token_malformed", "admitted", "draining", "stale", "admitted"],
            ignoreOrder: false);
        meter.Of("fencegateway.fence.write.duration").Select(m => m.Tags["fencegateway.outcome"])
            .ShouldBe(["in_doubt", "admitted"]);
        var waits = meter.Of("fencegateway.fence.wait.duration");
        waits.Select(m => m.Tags["fencegateway.admission"]).ShouldBe(["admitted", "draining", "admitted"]);
        waits[1].Value.ShouldBe(GatewaySetup.DrainTimeout.TotalSeconds);
        foreach (var (name, value) in meter.All.SelectMany(m => m.Tags))
        {
            var closed = name switch
            {
                "fencegateway.outcome" => Outcomes,
                "fencegateway.mode" => ["enforce", "report", "off"],
                "fencegateway.admission" => ["admitted", "stale", "draining", "unavailable"],
                "fencegateway.policy" => ["per-order"],
                "fencegateway.operation" => ["start_session", "enter"],
                "fencegateway.event" => ["started"],
                _ => [],
            };
            closed.ShouldContain(value, name);
        }
    }

    [Fact]
    public async Task Gauges_WhileWritesAreInFlightAndInDoubt_TellHowMany()
    {
        await using var gateway = await FencedGateway.StartAsync();
        using var meter = new MeterRecorder(gateway);
        gateway.HoldAll();
        meter.Observe("fencegateway.fence.in_flight").ShouldBe(0);
        var (answering, _) = await gateway.PutHeldAsync(33);
        _ = await gateway.PutHeldAsync(5, "/orders/2");

        meter.Observe("fencegateway.fence.in_flight").ShouldBe(2);
        meter.Observe("fencegateway.fence.resources").ShouldBe(2);
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        await answering;
        gateway.Clock.Advance(GatewaySetup.InDoubtHold - TimeSpan.FromTicks(1));
        meter.Observe("fencegateway.fence.in_doubt").ShouldBeGreaterThanOrEqualTo(1);
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);

        meter.Observe("fencegateway.fence.in_doubt").ShouldBe(0);
    }
}
