using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.RateLimiting;

/// <summary>Requests that wait for a permit, and permits that are held.</summary>
public sealed class RateLimitQueueTests
{
    /// <summary>Unlike every other timer, so that a test can tell who waits.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(17);

    private const string OneAndAQueue = """ "Type": "FixedWindow", "PermitLimit": 1, "Window": "00:00:17", "QueueLimit": 2 """;

    private const string OneAtOnce = """ "Type": "Concurrency", "PermitLimit": 1 """;

    [Fact]
    public async Task Queue_WithPlace_WaitsAndWithoutGets429()
    {
        await using var gateway = await LimitedGateway.StartAsync(OneAndAQueue);
        using var meter = new MeterRecorder(gateway);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        var first = await WaitingAsync(gateway, () => gateway.PutAsync(34));
        var second = gateway.PutAsync(34);
        var third = gateway.PutAsync(34);

        // Either of the two came last and found the queue full.
        var refused = await Task.WhenAny(second, third).WithinLimit("the one without a place");
        (await refused).ShouldBeLimited();
        gateway.Clock.Advance(Window);
        (await first).ShouldBeServices(200);
        gateway.Clock.Advance(Window);
        await Task.WhenAll(second, third).WithinLimit("the one that waited");

        meter.Of("fencegateway.ratelimit.requests").Select(m => m.Tags["fencegateway.outcome"])
            .ShouldBe(["admitted", "rejected", "queued", "queued"]);
    }

    [Fact]
    public async Task Queue_TokenTurnsStaleMeanwhile_Gets409AndIsNotForwarded()
    {
        await using var gateway = await LimitedGateway.StartAsync(
            $$""" {{OneAndAQueue}}, "PartitionBy": [ "Header:X-Nothing", "Route:rest" ] """);
        (await gateway.PutAsync(33, "/orders/1/a")).ShouldBeServices(200);
        var waiting = await WaitingAsync(gateway, () => gateway.PutAsync(33, "/orders/1/a"));
        (await gateway.PutAsync(34, "/orders/1/b")).ShouldBeServices(200);

        gateway.Clock.Advance(Window);

        (await waiting).ShouldBeProblem(409, "fencing-token-stale");
        gateway.Service.Entries.Select(e => e.Token).ShouldBe([33, 34]);
    }

    [Fact]
    public async Task Queue_ClientLeaves_TakesNoPermit()
    {
        await using var gateway = await LimitedGateway.StartAsync(OneAndAQueue);
        using var meter = new MeterRecorder(gateway);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        var leaver = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await leaver.SendAsync(RawHttpClient.Head(
            "GET /orders/1 HTTP/1.1", "Host: test", $"{JournalService.RequestIdHeader}: leaver"));
        await gateway.Clock.WaitForTimerAsync(Window);
        leaver.Abort();

        (await gateway.WaitForStatusAsync("leaver")).ShouldBe(499);
        gateway.Clock.Advance(Window);
        (await gateway.PutAsync(34)).RateLimit().Remaining.ShouldBe(0);
        gateway.Service.Entries.Count.ShouldBe(2);
        meter.Of("fencegateway.ratelimit.requests").Select(m => m.Tags["fencegateway.outcome"])
            .ShouldBe(["admitted", "abandoned", "admitted"]);
    }

    [Fact]
    public async Task Queue_LongerThanTheRouteLetsARequestTake_Gets429()
    {
        await using var gateway = await LimitedGateway.StartAsync(OneAndAQueue, route: """ "Timeout": "00:00:00.050" """);
        (await gateway.PutAsync(34)).ShouldBeServices(200);

        // The route's time-out keeps the real clock.
        (await gateway.PutAsync(34)).ShouldBeLimited();
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Queue_GatewayStops_Gets503()
    {
        await using var gateway = await LimitedGateway.StartAsync(OneAndAQueue);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        var waiting = await WaitingAsync(gateway, () => gateway.PutAsync(34));

        var stopping = gateway.StopAsync();

        var answer = await waiting;
        answer.ShouldBeProblem(503, "shutting-down");
        answer.RetryAfter.ShouldNotBeNull();
        await stopping.WithinLimit("the gateway to stop");
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Concurrency_PlaceIsHeldUntilTheAnswerHasEnded()
    {
        await using var gateway = await LimitedGateway.StartAsync(OneAtOnce);
        gateway.Hold(34);
        var (answering, held) = await gateway.PutHeldAsync(34);

        var limited = await gateway.PutAsync(34);
        limited.ShouldBeLimited();
        limited.RateLimit().ShouldSatisfyAllConditions(
            l => l.Quota["qu"].ShouldBe("concurrent-requests"), l => l.Quota.ContainsKey("w").ShouldBeFalse(),
            l => l.Time.ShouldBeNull());
        held.SendPart("half");
        (await gateway.PutAsync(35)).ShouldBeLimited();
        held.Release(body: "rest");
        var answer = await answering;
        answer.ShouldBeServices(200);
        answer.RateLimit().Remaining.ShouldBe(0);

        (await gateway.PutAsync(35)).ShouldBeServices(200);
    }

    [Fact]
    public async Task Concurrency_HoweverARequestEnds_ItsPlaceIsGivenBackOnce()
    {
        await using var gateway = await LimitedGateway.StartAsync(OneAtOnce);
        gateway.Service.Script = e => e.Token switch
        {
            1 => ServiceAction.Reset(applied: false),
            2 or 4 => ServiceAction.Hold,
            _ => ServiceAction.Apply(),
        };
        (await gateway.PutAsync(1, "/orders/reset")).Status.ShouldBe(502);

        var (answering, _) = await gateway.PutHeldAsync(2, "/orders/slow");
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        (await answering).Status.ShouldBe(504);

        (await gateway.PutAsync(3, "/orders/ok")).ShouldBeServices(200);

        // The client has left: a write stays in progress until it ends.
        var (leaver, arrival) = await gateway.PutRawAsync("leaver", 4, "/orders/left");
        leaver.Abort();
        await gateway.WaitForClientGoneAsync("leaver");
        (await gateway.PutAsync(3, "/orders/ok")).ShouldBeLimited();
        arrival.Release();
        await gateway.WaitForStatusAsync("leaver");

        (await gateway.PutAsync(3, "/orders/ok")).RateLimit().Remaining.ShouldBe(0);
        gateway.HoldAll();
        _ = await gateway.PutHeldAsync(9, "/orders/last");
        (await gateway.PutAsync(3, "/orders/ok")).ShouldBeLimited();
    }

    /// <summary>Sends a request that has to wait for the window's end, and returns when it does.</summary>
    private static async Task<Task<Answer>> WaitingAsync(FencedGateway gateway, Func<Task<Answer>> send)
    {
        var answering = send();
        await gateway.Clock.WaitForTimerAsync(Window);
        answering.IsCompleted.ShouldBeFalse();
        return answering;
    }
}
