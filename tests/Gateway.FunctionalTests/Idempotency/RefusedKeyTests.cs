using FenceGateway.Gateway.FunctionalTests.Fence;

namespace FenceGateway.Gateway.FunctionalTests.Idempotency;

/// <summary>A keyed request that is refused before anything was sent costs what one without a key does: nothing is
/// written for it.</summary>
public sealed class RefusedKeyTests
{
    private const string Reason = """{ "reason": "a test" }""";

    [Fact]
    public async Task Stale_WritesNothing()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        (await gateway.PutAsync(34)).ShouldBeServices(200);

        await ShouldWriteNothingAsync(gateway, () => gateway.PostFencedAsync(33, "k"), 409, "fencing-token-stale");
    }

    [Fact]
    public async Task WithoutToken_WritesNothing()
    {
        await using var gateway = await KeyedGateway.StartAsync();

        await ShouldWriteNothingAsync(
            gateway, () => gateway.PostAsync("k", path: "/orders/1"), 428, "fencing-token-required");
    }

    [Fact]
    public async Task OlderWritesInFlight_WritesNothing()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Hold(33);
        var (answering, held) = await gateway.PutHeldAsync(33);

        await ShouldWriteNothingAsync(gateway, DrainAsync, 503, "fence-draining");

        held.Release();
        (await answering).ShouldBeServices(200);

        async Task<Answer> DrainAsync()
        {
            var keyed = gateway.PostFencedAsync(34, "k");
            await gateway.Clock.WaitForTimerAsync(GatewaySetup.DrainTimeout);
            gateway.Clock.Advance(GatewaySetup.DrainTimeout);
            return await keyed;
        }
    }

    [Fact]
    public async Task ShutdownWhileItWaits_WritesNothing()
    {
        await using var gateway = await KeyedGateway.StartAsync(
            gateway: """, "Shutdown": { "Delay": "00:00:00" } """);
        gateway.Hold(33);
        var (answering, held) = await gateway.PutHeldAsync(33);
        Task? stopping = null;

        await ShouldWriteNothingAsync(gateway, StopAsync, 503, "shutting-down");

        held.Release();
        (await answering).ShouldBeServices(200);
        await stopping!;

        async Task<Answer> StopAsync()
        {
            var keyed = gateway.PostFencedAsync(34, "k");
            await gateway.Clock.WaitForTimerAsync(GatewaySetup.DrainTimeout);
            stopping = gateway.StopAsync();
            return await keyed;
        }
    }

    [Fact]
    public async Task CircuitOpen_WritesNothing()
    {
        await using var gateway = await KeyedGateway.StartAsync(mechanisms: """, "CircuitBreaker": { } """);
        const string Isolate = "/admin/v1/clusters/service/destinations/a/isolate";
        (await gateway.AdminPostAsync(Isolate, Reason)).ShouldBeServices(200);

        await ShouldWriteNothingAsync(gateway, () => gateway.PostAsync("k"), 503, "circuit-open");
        await ShouldWriteNothingAsync(gateway, () => gateway.PostFencedAsync(33, "f"), 503, "circuit-open");
    }

    [Fact]
    public async Task BulkheadFull_WritesNothing()
    {
        await using var gateway = await KeyedGateway.StartAsync(
            mechanisms: """, "Bulkhead": { "PermitLimit": 1, "QueueLimit": 0 } """);
        gateway.HoldAll();
        var (answering, held) = await gateway.PutHeldAsync(33);

        await ShouldWriteNothingAsync(gateway, () => gateway.PostFencedAsync(33, "k"), 503, "bulkhead-full");

        held.Release();
        await answering;
    }

    [Fact]
    public async Task RateLimited_WritesNothing()
    {
        const string Few = """ "few": { "Type": "FixedWindow", "PermitLimit": 1, "Window": "00:01:00" } """;
        var setup = KeyedGateway.Setup(gateway: $$""", "RateLimiterPolicies": { {{Few}} } """);
        await using var gateway = await FencedGateway.StartAsync(
            setup with { Route = setup.Route + """, "RateLimiterPolicy": "few" """ });
        (await gateway.PutAsync(33)).ShouldBeServices(200);

        await ShouldWriteNothingAsync(gateway, () => gateway.PostFencedAsync(33, "k"), 429, "rate-limited");
    }

    [Fact]
    public async Task NoDestination_WritesNothing()
    {
        await using var gateway = await FencedGateway.StartAsync(
            KeyedGateway.Setup() with { Cluster = """ "Destinations": { } """ });

        await ShouldWriteNothingAsync(gateway, () => gateway.PostAsync("k"), 502, "upstream-unreachable");
        await ShouldWriteNothingAsync(gateway, () => gateway.PostFencedAsync(33, "f"), 502, "upstream-unreachable");
    }

    [Fact]
    public async Task Retried_StartsItsKeyOnce()
    {
        await using var gateway = await KeyedGateway.StartAsync(
            """ "HonouredByService": true """, """, "Retry": { "MaxAttempts": 3 } """);
        using var recorder = new MeterRecorder(gateway);
        var requests = 0;
        gateway.Service.Script = _ => TestKit.ServiceAction.Apply(++requests < 3 ? 503 : 201);

        (await Resilience.ResilientSetup.MoveOnUntilAsync(gateway, gateway.PostAsync("k"))).ShouldBeServices(201);

        requests.ShouldBe(3);
        Starts(recorder).ShouldBe(1);
    }

    /// <summary>Refused, nothing started, and the key is as free as before.</summary>
    private static async Task ShouldWriteNothingAsync(
        FencedGateway gateway, Func<Task<Answer>> send, int status, string problem)
    {
        using var recorder = new MeterRecorder(gateway);

        (await send()).ShouldBeProblem(status, problem);

        Starts(recorder).ShouldBe(0);
        recorder.Observe("fencegateway.idempotency.entries").ShouldBe(0);
    }

    private static int Starts(MeterRecorder recorder) =>
        recorder.Of("fencegateway.idempotency.store.duration").Count(m => m.Tags["fencegateway.step"] == "start");
}
