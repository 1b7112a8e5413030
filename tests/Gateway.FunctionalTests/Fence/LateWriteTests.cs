using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>A write that hangs at the service while a newer token takes over: seal, drain, forward (R4).</summary>
public sealed class LateWriteTests
{
    [Fact]
    public async Task NewerToken_OlderWriteHeldAtTheService_IsForwardedOnlyAfterItEnded()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);

        var answering34 = await gateway.PutWaitingAsync(34);
        gateway.Service.Entries.Count.ShouldBe(1);
        held33.Release(201);

        (await answering33).ShouldBeServices(201);
        (await answering34).ShouldBeServices(200);
        var entry34 = gateway.Service.Entries[1];
        entry34.Token.ShouldBe(34);
        held33.Entry.Ended!.Value.ShouldBeLessThan(entry34.Started);
        HistoryChecker.Check(gateway.Service.Writes).ShouldBeEmpty();
    }

    [Fact]
    public async Task NewerToken_Waiting_AlreadySealsOlderOnes()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (_, held33) = await gateway.PutHeldAsync(33);
        var answering34 = await gateway.PutWaitingAsync(34);

        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");

        gateway.Service.Entries.Count.ShouldBe(1);
        held33.Release();
        (await answering34).ShouldBeServices(200);
    }

    [Fact]
    public async Task NewerToken_OlderWriteHangsBeyondDrainTimeout_Gets503AndTheMarkStaysRaised()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);
        var answering34 = await gateway.PutWaitingAsync(34);

        gateway.Clock.Advance(GatewaySetup.DrainTimeout);

        var refused = await answering34;
        refused.ShouldBeProblem(503, "fence-draining");
        refused.RetryAfter.ShouldNotBeNull().ShouldBeGreaterThan(0);
        refused.Headers["Proxy-Status"].ShouldContain("fencegateway; error=");
        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        gateway.Service.Entries.Count.ShouldBe(1);

        held33.Release();
        (await answering33).ShouldBeServices(200);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    [Fact]
    public async Task NewerToken_OfAnotherResource_DoesNotWait()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (_, held33) = await gateway.PutHeldAsync(33);

        (await gateway.PutAsync(34, "/orders/2")).ShouldBeServices(200);

        held33.Entry.Ended.ShouldBeNull();
    }

    [Fact]
    public async Task NewerToken_ClientLeavesWhileItWaits_IsNeverForwardedButItsSealStays()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);
        await using var client34 = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client34.SendAsync(RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 34", "Content-Length: 0",
            $"{JournalService.RequestIdHeader}: b"));
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.DrainTimeout);
        client34.Abort();
        (await gateway.WaitForStatusAsync("b")).ShouldBe(499);

        held33.Release();
        (await answering33).ShouldBeServices(200);

        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task SameToken_SeveralWritesAtOnce_AreAllAdmitted()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.HoldAll();
        List<Task<Answer>> answering = [];
        List<ServiceArrival> held = [];
        for (var i = 0; i < 4; i++)
        {
            var (answer, arrival) = await gateway.PutHeldAsync(33);
            answering.Add(answer);
            held.Add(arrival);
        }

        held.ShouldAllBe(a => a.Entry.Ended == null);
        held.ForEach(a => a.Release());

        (await Task.WhenAll(answering)).ShouldAllBe(a => a.Status == 200);
    }

    [Fact]
    public async Task RisingTokens_BehindAHeldWrite_GoInOrderOrAreStale()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = GatewaySetup.PatientDrain });
        using var clients = new RecordingClient(gateway.Service.Clock);
        gateway.Hold(33);
        var answering33 = clients.SendAsync(gateway.Address, HttpMethod.Put, "/orders/1", 33);
        var held33 = await gateway.Service.NextArrivalAsync();

        List<Task<GatewayAnswer>> waiting = [];
        foreach (var token in new long[] { 34, 35, 36 })
        {
            waiting.Add(clients.SendAsync(gateway.Address, HttpMethod.Put, "/orders/1", token));
            if (token == 34)
            {
                await gateway.Clock.WaitForTimerAsync(GatewaySetup.PatientDrainTime);
            }
        }

        waiting.Add(clients.SendAsync(gateway.Address, HttpMethod.Get, "/orders/1", 34));
        held33.Release();
        var answers = await Task.WhenAll([answering33, .. waiting]);

        answers.ShouldAllBe(a => a.Status == 200 || a.Status == 409);
        answers.Single(a => a.Token == 36).Status.ShouldBe(200);
        HistoryChecker.Check(gateway.Service.Writes, clients.Answers).ShouldBeEmpty();
    }
}
