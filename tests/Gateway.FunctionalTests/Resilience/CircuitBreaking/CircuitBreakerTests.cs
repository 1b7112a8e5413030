using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.CircuitBreaking;

/// <summary>What opens a circuit, what a client sees of it, and what closes it.</summary>
public sealed class CircuitBreakerTests
{
    [Fact]
    public async Task ServiceFails_Opens_Sheds_ProbesOnce_Closes()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        using var meters = new MeterRecorder(gateway);
        await gateway.OpenAsync();
        (await gateway.CircuitAsync()).GetProperty("reason").GetString()
            .ShouldBe("4 of 4 attempts failed within 10 s, last: status 503");

        gateway.Clock.Advance(TimeSpan.FromSeconds(1.5));
        var shed = await gateway.PutAsync(34);
        shed.ShouldBeProblem(503, "circuit-open");
        shed.RetryAfter.ShouldBe(4);
        gateway.Service.Entries.Count.ShouldBe(4);
        // Shed before it was admitted: the mark has not moved.
        (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Json.GetProperty("mark").GetInt64().ShouldBe(33);

        gateway.Clock.Advance(CircuitSetup.Break - TimeSpan.FromSeconds(1.5));
        gateway.HoldAll();
        var (probing, probe) = await gateway.PutHeldAsync(35);
        var meanwhile = await gateway.PutAsync(35, "/orders/2");
        meanwhile.ShouldBeProblem(503, "circuit-open");
        meanwhile.RetryAfter.ShouldBe(1);
        gateway.Service.Entries.Count.ShouldBe(5);

        gateway.Service.Script = _ => ServiceAction.Apply();
        probe.Release();
        (await probing).ShouldBeServices(200);
        await gateway.WaitForAttemptsAsync(5);
        (await gateway.PutAsync(35)).ShouldBeServices(200);
        (await gateway.StateAsync()).ShouldBe("closed");
        meters.Of("fencegateway.circuit.transitions").Select(m => m.Tags["fencegateway.state"])
            .ShouldBe(["open", "half-open", "closed"]);
        meters.Of("fencegateway.circuit.shed").Count.ShouldBe(2);
        meters.Observe("fencegateway.circuit.state").ShouldBe(0);
    }

    [Fact]
    public async Task ProbeFails_StaysOpenForAnotherBreak()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        await gateway.OpenAsync();
        gateway.Clock.Advance(CircuitSetup.Break);

        (await gateway.PutAsync(33)).ShouldBeServices(503);
        await gateway.WaitForAttemptsAsync(5);

        (await gateway.PutAsync(33)).RetryAfter.ShouldBe(5);
        (await gateway.CircuitAsync()).GetProperty("reason").GetString().ShouldBe("a probe failed: status 503");
    }

    [Fact]
    public async Task ProbeRefusedByTheFence_LeavesItsPlaceToAnother()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);
        gateway.Service.Script = _ => ServiceAction.Refuse(503);
        for (var i = 0; i < 4; i++)
        {
            (await gateway.PutAsync(33, "/orders/2")).ShouldBeServices(503);
        }

        await gateway.WaitForAttemptsAsync(4);
        gateway.Clock.Advance(CircuitSetup.Break);
        gateway.Service.Script = _ => ServiceAction.Apply();
        var draining = await gateway.PutWaitingAsync(34);
        (await gateway.PutAsync(33, "/orders/2")).ShouldBeProblem(503, "circuit-open");
        gateway.Clock.Advance(GatewaySetup.DrainTimeout);
        (await draining).ShouldBeProblem(503, "fence-draining");

        (await gateway.PutAsync(33, "/orders/2")).ShouldBeServices(200);
        await gateway.WaitForAttemptsAsync(5);
        (await gateway.StateAsync()).ShouldBe("closed");
        held33.Release();
        (await answering33).ShouldBeServices(200);
    }

    [Fact]
    public async Task DestinationUnreachable_AnotherOneTakesOver()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With(cluster: $$"""
            "LoadBalancingPolicy": "FirstAlphabetical",
            "Destinations": { "a": { "Address": "http://127.0.0.1:{{FreePorts.Next()}}/" }, "b": { "Address": "{{GatewaySetup.Service}}" } }
            """));
        for (var i = 0; i < 4; i++)
        {
            (await gateway.PutAsync(33)).ShouldBeProblem(502, "upstream-unreachable");
        }

        await gateway.WaitForAttemptsAsync(4);
        for (var i = 0; i < 4; i++)
        {
            (await gateway.PutAsync(33)).ShouldBeServices(200);
        }

        (await gateway.StateAsync("b")).ShouldBe("closed");
        (await gateway.AdminGetAsync(CircuitSetup.Cluster)).Json.GetProperty("state").GetString().ShouldBe("closed");
        gateway.Clock.Advance(CircuitSetup.Break);
        (await gateway.PutAsync(33)).ShouldBeProblem(502, "upstream-unreachable");
        await gateway.WaitForAttemptsAsync(5);
        (await gateway.PutAsync(33)).ShouldBeServices(200);
    }

    [Fact]
    public async Task TimeOuts_Open()
    {
        await using var gateway = await FencedGateway.StartAsync(
            CircuitSetup.With(mechanisms: """ "Timeouts": { "FirstByte": "00:00:01" } """));
        gateway.HoldAll();
        for (var i = 0; i < 4; i++)
        {
            var answering = gateway.GetAsync(null);
            await gateway.Service.NextArrivalAsync();
            (await gateway.MoveOnUntilAsync(answering)).ShouldBeProblem(504, "upstream-timeout");
        }

        await gateway.WaitForAttemptsAsync(4);
        (await gateway.GetAsync(null)).ShouldBeProblem(503, "circuit-open");
    }

    [Fact]
    public async Task SlowAnswers_Open()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With(""" "MinimumThroughput": 4, "SlowCallThreshold": "00:00:01" """));
        gateway.HoldAll();
        for (var i = 0; i < 4; i++)
        {
            var (answering, held) = await gateway.PutHeldAsync(33);
            gateway.Clock.Advance(TimeSpan.FromSeconds(1.2));
            held.Release();
            (await answering).ShouldBeServices(200);
        }

        await gateway.WaitForAttemptsAsync(4);
        (await gateway.PutAsync(33)).ShouldBeProblem(503, "circuit-open");
        (await gateway.CircuitAsync()).Count("slow").ShouldBe(4);
    }

    [Fact]
    public async Task StormOfTheGatewaysOwn409And503_StaysClosed()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        gateway.Hold(50);
        var (answering50, held50) = await gateway.PutHeldAsync(50);
        for (var i = 0; i < 30; i++)
        {
            (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        }

        var draining = Enumerable.Range(0, 30).Select(_ => gateway.PutAsync(51)).ToList();
        await gateway.Clock.WaitForTimersAsync(30, GatewaySetup.DrainTimeout);
        gateway.Clock.Advance(GatewaySetup.DrainTimeout);
        foreach (var answer in await Task.WhenAll(draining))
        {
            answer.ShouldBeProblem(503, "fence-draining");
        }

        held50.Release();
        (await answering50).ShouldBeServices(200);
        (await gateway.PutAsync(51)).ShouldBeServices(200);
        await gateway.WaitForAttemptsAsync(2);
        (await gateway.CircuitAsync()).Count("failed").ShouldBe(0);
        (await gateway.StateAsync()).ShouldBe("closed");
    }

    [Fact]
    public async Task ClientsThatGoAway_LeaveItClosed()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        gateway.HoldAll();
        for (var i = 1; i <= 8; i++)
        {
            await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
            await client.SendAsync(RawHttpClient.Head("GET /open/1 HTTP/1.1", "Host: test"));
            await gateway.Service.NextArrivalAsync();
            client.Abort();
            await gateway.WaitForAttemptsAsync(i);
        }

        (await gateway.CircuitAsync()).Count("neutral").ShouldBe(8);
        (await gateway.StateAsync()).ShouldBe("closed");
    }

    [Fact]
    public async Task RetriedAttempts_CountOneByOne_AndEndWhereTheCircuitOpens()
    {
        await using var gateway = await FencedGateway.StartAsync(
            CircuitSetup.With(""" "MinimumThroughput": 2 """, """ "Retry": { "MaxAttempts": 5 } """));
        gateway.Service.Script = _ => ServiceAction.Refuse(503);

        var answer = await gateway.MoveOnUntilAsync(gateway.PutAsync(33));

        answer.ShouldBeProblem(503, "circuit-open");
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Retry_TheOnlyOtherDestinationIsIsolated_GoesToTheSameOneAgain()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With(
            mechanisms: """ "Retry": { "MaxAttempts": 2 } """,
            cluster: $$"""
                "Destinations": { "a": { "Address": "{{GatewaySetup.Service}}" }, "b": { "Address": "http://127.0.0.1:{{FreePorts.Next()}}/" } }
                """));
        (await gateway.AdminPostAsync($"{CircuitSetup.Cluster}/destinations/b/isolate", """{ "reason": "why" }""")).ShouldBeServices(200);
        var arrived = 0;
        gateway.Service.Script = _ => Interlocked.Increment(ref arrived) == 1
            ? ServiceAction.Refuse(503)
            : ServiceAction.Apply();

        (await gateway.MoveOnUntilAsync(gateway.PutAsync(33))).ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task OpenCircuit_RefusesAtOnce_AsksNeitherServiceNorClock()
    {
        await using var gateway = await FencedGateway.StartAsync(CircuitSetup.With());
        await gateway.OpenAsync();
        var (forwarded, timers) = (gateway.Service.Entries.Count, gateway.Clock.TimersEverArmed);

        for (var i = 0; i < 400; i++)
        {
            (await gateway.GetAsync(null)).Status.ShouldBe(503);
        }

        gateway.Service.Entries.Count.ShouldBe(forwarded);
        (gateway.Clock.TimersEverArmed - timers).ShouldBeLessThan(
            100, "what starts in the background may arm some, a refusal none");
    }
}
