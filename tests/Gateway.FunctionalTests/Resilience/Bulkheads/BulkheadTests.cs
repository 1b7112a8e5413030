using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Bulkheads;

/// <summary>
/// Places of a route and of a cluster: full, waiting, in which order, and given back whatever happens.
/// </summary>
public sealed class BulkheadTests
{
    private const string OnePlace = """ "PermitLimit": 1, "QueueLimit": 8 """;

    [Fact]
    public async Task Full_NobodyMayWait_503WithRetryAfterAndThePlaceComesBack()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(""" "PermitLimit": 1, "QueueLimit": 0 """));
        using var recorder = new MeterRecorder(gateway);
        gateway.Hold(33);
        var (answering, held) = await gateway.PutHeldAsync(33);

        var refused = await gateway.PutAsync(5, "/orders/2");

        refused.ShouldBeProblem(503, "bulkhead-full");
        refused.RetryAfter.ShouldBe(13);
        refused.Headers["Proxy-Status"].ShouldContain("fencegateway; error=");
        (await gateway.GetAsync(null, "/open/1")).ShouldBeServices(200);
        recorder.Of("fencegateway.bulkhead.rejections").Single().Tags.ShouldBe(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["fencegateway.scope"] = "route",
                ["fencegateway.bulkhead"] = "orders",
                ["fencegateway.reason"] = "full",
            },
            ignoreOrder: true);
        recorder.Observe("fencegateway.bulkhead.in_use").ShouldBe(1);
        held.Release();
        (await answering).ShouldBeServices(200);
        (await gateway.PutAsync(5, "/orders/2")).ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Waiting_QueueTimeoutPasses_503AndItIsNeverForwarded()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnCluster(OnePlace));
        using var recorder = new MeterRecorder(gateway);
        gateway.Hold(33);
        var (answering, held) = await gateway.PutHeldAsync(33);
        var waiting = await gateway.PutQueuedAsync(5, "/orders/2");

        gateway.Clock.Advance(BulkheadSetup.QueueTimeout);

        var refused = await waiting;
        refused.ShouldBeProblem(503, "bulkhead-full");
        refused.RetryAfter.ShouldBe(13);
        var waited = recorder.Of("fencegateway.bulkhead.wait.duration").Single();
        waited.Value.ShouldBe(13);
        waited.Tags["fencegateway.outcome"].ShouldBe("timed_out");
        waited.Tags["fencegateway.scope"].ShouldBe("cluster");
        held.Release();
        (await answering).ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(1);
        await gateway.UntilAsync(() => gateway.Places() == (0, 0), "the place to be given back");
    }

    [Fact]
    public async Task Waiting_SeveralResources_ReachTheServiceInTheOrderOfTheirArrival()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(OnePlace));
        gateway.HoldAll();
        var (_, held) = await gateway.PutHeldAsync(1);
        List<Task<Answer>> waiting = [];
        for (var i = 2; i <= 7; i++)
        {
            waiting.Add(await gateway.PutQueuedAsync(i, $"/orders/{i}"));
        }

        for (var i = 2; i <= 7; i++)
        {
            held.Release();
            held = await gateway.Service.NextArrivalAsync();
            held.Entry.Token.ShouldBe(i);
        }

        held.Release();
        (await Task.WhenAll(waiting)).ShouldAllBe(a => a.Status == 200);
    }

    [Fact]
    public async Task NewHolder_OlderWritesWaitAheadOfIt_GoesFirstAndTheyGet409AtOnce()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(OnePlace));
        using var recorder = new MeterRecorder(gateway);
        gateway.HoldAll();
        var (other, held) = await gateway.PutHeldAsync(5, "/orders/2");
        var older = await gateway.PutQueuedAsync(33);
        var old = await gateway.PutQueuedAsync(32);
        var unrelated = await gateway.PutQueuedAsync(7, "/orders/3");
        var newer = await gateway.PutQueuedAsync(34);

        held.Release();

        var arrival = await gateway.Service.NextArrivalAsync();
        arrival.Entry.Token.ShouldBe(34);
        (await older).ShouldBeProblem(409, "fencing-token-stale");
        (await old).ShouldBeProblem(409, "fencing-token-stale");
        recorder.Outcomes.Count(o => o == "stale").ShouldBe(2);
        arrival.Release();
        (await newer).ShouldBeServices(200);
        (await gateway.Service.NextArrivalAsync()).Release();
        (await unrelated).ShouldBeServices(200);
        (await other).ShouldBeServices(200);
        gateway.Service.Entries.Select(e => e.Token).ShouldBe([5, 34, 7]);
    }

    [Fact]
    public async Task Stale_MarkRoseWithoutARequest_LeavesTheLineAndTakesNoPlace()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(OnePlace));
        gateway.HoldAll();
        var (_, held) = await gateway.PutHeldAsync(5, "/orders/2");
        var waiting = await gateway.PutQueuedAsync(33);

        (await gateway.AdminPostAsync(
            "/admin/v1/resources/orders/1/mark", """ { "mark": 40, "reason": "a test" } """)).Status.ShouldBe(200);

        (await waiting).ShouldBeProblem(409, "fencing-token-stale");
        (await gateway.PutAsync(39)).ShouldBeProblem(409, "fencing-token-stale");
        gateway.Places().ShouldBe((1, 0));
        held.Release();
    }

    [Fact]
    public async Task Report_ANewerTokenWaitsBehindOlderOnes_TokensOrderNothingAndNobodyIsRefused()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(OnePlace, policy: """ "Mode": "Report" """));
        gateway.HoldAll();
        var (_, held) = await gateway.PutHeldAsync(5, "/orders/2");
        List<Task<Answer>> waiting = [];
        foreach (var token in new[] { 33, 34, 33 })
        {
            waiting.Add(await gateway.PutQueuedAsync(token));
        }

        foreach (var token in new[] { 33, 34, 33 })
        {
            held.Release();
            held = await gateway.Service.NextArrivalAsync();
            held.Entry.Token.ShouldBe(token);
        }

        held.Release();
        (await Task.WhenAll(waiting)).ShouldAllBe(a => a.Status == 200);
    }

    [Fact]
    public async Task Client_LeavesWhileItWaits_LeavesTheLineAndIsNeverForwarded()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(OnePlace));
        gateway.Hold(33);
        var (answering, held) = await gateway.PutHeldAsync(33);
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendAsync(RawHttpClient.Head(
            "PUT /orders/2 HTTP/1.1", "Host: test", "Fencing-Token: 5", "Content-Length: 0",
            $"{JournalService.RequestIdHeader}: b"));
        await gateway.UntilAsync(() => gateway.Places().Waiting == 1, "the request to wait");

        client.Abort();

        (await gateway.WaitForStatusAsync("b")).ShouldBe(499);
        gateway.Places().ShouldBe((1, 0));
        held.Release();
        (await answering).ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Shutdown_SomebodyWaits_IsToldSo()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(OnePlace));
        gateway.Hold(33);
        var (answering, held) = await gateway.PutHeldAsync(33);
        var waiting = await gateway.PutQueuedAsync(5, "/orders/2");

        var stopping = gateway.StopAsync();
        await gateway.UntilAsync(
            () =>
            {
                // Whatever the delay is.
                gateway.Clock.Advance(TimeSpan.FromMilliseconds(10));
                return waiting.IsCompleted;
            },
            "the waiting request to be answered");

        (await waiting).ShouldBeProblem(503, "shutting-down");
        held.Release();
        (await answering).ShouldBeServices(200);
        await stopping.WithinLimit("the gateway to stop");
    }

    [Fact]
    public async Task Reload_OtherLimits_KeepsWhatIsInUseAndLetsThoseThatWaitIn()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnRoute(OnePlace));
        gateway.HoldAll();
        var (first, held) = await gateway.PutHeldAsync(33);
        var second = await gateway.PutQueuedAsync(5, "/orders/2");

        (await gateway.ReloadAsync(BulkheadSetup.OnRoute(""" "PermitLimit": 2, "QueueLimit": 0 """))).Succeeded.ShouldBeTrue();

        var arrived = await gateway.Service.NextArrivalAsync();
        arrived.Entry.Token.ShouldBe(5);
        (await gateway.PutAsync(7, "/orders/3")).ShouldBeProblem(503, "bulkhead-full");
        (await gateway.ReloadAsync(new GatewaySetup())).Succeeded.ShouldBeTrue();
        held.Release();
        arrived.Release();
        (await first).ShouldBeServices(200);
        (await second).ShouldBeServices(200);
        await gateway.UntilAsync(
            () => gateway.Places() == (0, 0), "places of a bulkhead that is not in force any more to be given back");
    }

    [Fact]
    public async Task Adaptive_LatencyStaysUnderFullUse_TheLimitGrows()
    {
        await using var gateway = await FencedGateway.StartAsync(
            BulkheadSetup.OnCluster(""" "PermitLimit": 1, "Adaptive": { "MinLimit": 1, "MaxLimit": 4 } """));
        for (var i = 0; i < 400; i++)
        {
            (await gateway.GetAsync(null, "/open/1")).ShouldBeServices(200);
        }

        gateway.Bulkheads().All.Single().Limit.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task Clients_LeaveAtRandomMoments_NoPlaceIsLost()
    {
        await using var gateway = await FencedGateway.StartAsync(BulkheadSetup.OnCluster(
            """ "PermitLimit": 4, "QueueLimit": 6, "PerResource": { "PermitLimit": 2, "QueueLimit": 4 } """));
        var seed = new RandomSeed().Value;
        var actions = new Random(seed);
        gateway.Service.Script = _ =>
        {
            lock (actions)
            {
                return actions.Next(5) switch
                {
                    0 => ServiceAction.Reset(applied: true),
                    1 => ServiceAction.AnswerEarly(503),
                    _ => ServiceAction.Apply(body: new string('x', 1000)),
                };
            }
        };

        async Task SendAsync(Random random)
        {
            for (var i = 0; i < 100; i++)
            {
                await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
                var path = random.Next(4) == 0 ? "/open/1" : $"/orders/{random.Next(3)}";
                var verb = random.Next(3) == 0 ? "GET" : "PUT";
                await client.SendAsync(RawHttpClient.Head(
                    $"{verb} {path} HTTP/1.1", "Host: test", $"Fencing-Token: {random.Next(1, 4) + i / 20}",
                    "Content-Length: 1") + "x");
                for (var yields = random.Next(60); yields > 0; yields--)
                {
                    await Task.Yield();
                }

                client.Abort();
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 10).Select(n => Task.Run(() => SendAsync(new Random(seed + n)))));

        // What is left waits for older writes in doubt, for its queue's time, or for a service that was reset.
        await gateway.UntilAsync(
            () =>
            {
                gateway.Clock.Advance(TimeSpan.FromMilliseconds(100));
                return gateway.Places() == (0, 0);
            },
            $"all places to be given back, seed {seed}");
        gateway.Service.Entries.Count.ShouldBeGreaterThan(50);
    }
}
