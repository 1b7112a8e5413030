using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>How a forwarded write ends, and whether newer tokens have to wait for it (R5).</summary>
public sealed class InDoubtTests
{
    private static readonly GatewaySetup Patient = new() { Policy = GatewaySetup.PatientDrain };

    [Fact]
    public async Task WriteTimeout_ServiceDoesNotAnswer_504AndNewerTokensWaitForTheHold()
    {
        await using var gateway = await FencedGateway.StartAsync(Patient);
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);

        gateway.Clock.Advance(GatewaySetup.WriteTimeout);

        (await answering33).ShouldBeProblem(504, "upstream-timeout");
        await held33.WaitForClientGoneAsync();
        await ShouldHoldBackAsync(gateway, 34);
    }

    [Fact]
    public async Task WriteTimeout_NewerTokenWaitsAlready_GoesOnWaitingForTheHold()
    {
        await using var gateway = await FencedGateway.StartAsync(Patient);
        gateway.Hold(33);
        var (answering33, _) = await gateway.PutHeldAsync(33);
        var answering34 = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));

        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        (await answering33).ShouldBeProblem(504, "upstream-timeout");
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.InDoubtHold);
        gateway.Service.Entries.Count.ShouldBe(1);
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);

        (await answering34).ShouldBeServices(200);
    }

    [Fact]
    public async Task WriteTimeout_DrainTimeoutShorterThanTheHold_503TellsHowLongItTakes()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, _) = await gateway.PutHeldAsync(33);
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        await answering33;

        var answering34 = await gateway.PutWaitingAsync(34);
        gateway.Clock.Advance(GatewaySetup.DrainTimeout);

        var refused = await answering34;
        refused.ShouldBeProblem(503, "fence-draining");
        refused.RetryAfter.ShouldBe((int)(GatewaySetup.InDoubtHold - GatewaySetup.DrainTimeout).TotalSeconds);
    }

    [Fact]
    public async Task WriteTimeout_SameTokenAfterwards_IsAdmittedAtOnce()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.HoldAll();
        var (answering33, _) = await gateway.PutHeldAsync(33);
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        (await answering33).ShouldBeProblem(504, "upstream-timeout");

        gateway.Service.Script = _ => ServiceAction.Apply();
        (await gateway.PutAsync(33)).ShouldBeServices(200);
    }

    [Fact]
    public async Task ClientLeaves_ServiceNeverAnswers_IsInDoubtOnlyFromTheDeadlineOn()
    {
        await using var gateway = await FencedGateway.StartAsync(Patient);
        gateway.Hold(33);
        var (client, held33) = await gateway.PutRawAsync("a", 33);
        await using var _ = client;
        client.Abort();
        await gateway.WaitForClientGoneAsync("a");

        var answering34 = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        await held33.WaitForClientGoneAsync();
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.InDoubtHold);
        gateway.Service.Entries.Count.ShouldBe(1);
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);

        (await answering34).ShouldBeServices(200);
    }

    [Fact]
    public async Task ClientLeaves_ServiceAnswers_TheEndIsLearntAndNewerTokensGoOn()
    {
        await using var gateway = await FencedGateway.StartAsync(Patient);
        gateway.Hold(33);
        var (client, held33) = await gateway.PutRawAsync("a", 33);
        await using var _ = client;
        client.Abort();
        await gateway.WaitForClientGoneAsync("a");
        var answering34 = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));

        held33.Release(body: new string('x', 100_000));

        (await answering34).ShouldBeServices(200);
        held33.Entry.Ended!.Value.ShouldBeLessThan(gateway.Service.Entries[1].Started);
    }

    [Fact]
    public async Task ClientLeaves_InTheMiddleOfItsUpload_IsInDoubt()
    {
        await using var gateway = await FencedGateway.StartAsync(Patient);
        gateway.Hold(33);
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendAsync(RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33",
            "Content-Length: 100000") + new string('x', 50_000));
        var held33 = await gateway.Service.NextArrivalAsync();
        await held33.WaitForBodyAsync(1);
        client.Abort();
        await held33.WaitForEndAsync();

        await ShouldHoldBackAsync(gateway, 34);
    }

    [Fact]
    public async Task Reset_AfterTheRequestWasSent_502AndInDoubt()
    {
        await using var gateway = await FencedGateway.StartAsync(Patient);
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);
        held33.Reset();

        (await answering33).ShouldBeProblem(502, "upstream-unreachable");
        await ShouldHoldBackAsync(gateway, 34);
    }

    [Fact]
    public async Task HalfAnAnswer_ThenReset_IsInDoubt()
    {
        await using var gateway = await FencedGateway.StartAsync(Patient);
        gateway.Hold(33);
        var (client, held33) = await gateway.PutRawAsync("a", 33);
        await using var _ = client;
        held33.SendPart("half of the answer");
        await client.ReadUntilAsync("half of the answer");
        held33.Reset();
        await client.WaitForCloseAsync();

        await ShouldHoldBackAsync(gateway, 34);
    }

    [Fact]
    public async Task ConnectionRefused_NothingWasSent_502AndNewerTokensGoOnAtOnce()
    {
        await using var gateway = await FencedGateway.StartAsync(
            destination: _ => new Uri($"http://127.0.0.1:{FreePorts.Next()}/"));

        (await gateway.PutAsync(33)).ShouldBeProblem(502, "upstream-unreachable");
        (await gateway.PutAsync(34)).ShouldBeProblem(502, "upstream-unreachable");
        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
    }

    [Theory]
    [InlineData(400)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task AnsweredWithAnError_TheWriteHasEnded(int status)
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Service.Script = e => e.Token == 33 ? ServiceAction.Refuse(status) : ServiceAction.Apply();

        (await gateway.PutAsync(33)).ShouldBeServices(status);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    /// <summary>A proxy behind this one got no answer itself: its service may go on with the write.</summary>
    [Theory]
    [InlineData(502, "")]
    [InlineData(504, "")]
    [InlineData(503, """ , "InDoubtStatuses": [ 502, 503, 504 ] """)]
    public async Task AnsweredByWhoDoesNotKnow_TheAnswerIsRelayedAndNewerTokensWaitForTheHold(int status, string policy)
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = GatewaySetup.PatientDrain + policy });
        gateway.Service.Script = e => e.Token == 33 ? ServiceAction.Refuse(status) : ServiceAction.Apply();

        (await gateway.PutAsync(33)).ShouldBeServices(status);

        await ShouldHoldBackAsync(gateway, 34);
    }

    [Fact]
    public async Task AnsweredByWhoDoesNotKnow_PolicyThatTakesItForAnEnd_TheWriteHasEnded()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "InDoubtStatuses": [ 504 ] """ });
        gateway.Service.Script = e => e.Token == 33 ? ServiceAction.Refuse(502) : ServiceAction.Apply();

        (await gateway.PutAsync(33)).ShouldBeServices(502);

        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    /// <summary>
    /// Waiting for a connection, or for a stream on one, is not sending: a write is not in doubt when its time runs out
    /// meanwhile.
    /// </summary>
    [Theory]
    [InlineData("DELETE", "", false)]
    [InlineData("PUT", "value", false)]
    [InlineData("DELETE", "", true)]
    [InlineData("PUT", "value", true)]
    public async Task NeverGotAConnection_NothingWasSent_NewerTokensGoOnAtOnce(string method, string body, bool http2)
    {
        await using var service = await JournalService.StartAsync(maxStreams: 1);
        await using var gateway = await FencedGateway.StartAsync(
            new()
            {
                Cluster = http2
                    ? """ "HttpRequest": { "Version": "2", "VersionPolicy": "RequestVersionExact" }, "HttpClient": { "EnableMultipleHttp2Connections": false } """
                    : """ "HttpClient": { "MaxConnectionsPerServer": 1 } """,
            },
            _ => http2 ? service.Http2Address : service.Address);
        (await gateway.GetAsync(null, "/open/0")).ShouldBeServices(200);
        _ = await service.NextArrivalAsync();
        service.Script = _ => ServiceAction.Hold;
        var reading = gateway.GetAsync(null, "/open/1");
        var held = await service.NextArrivalAsync();
        var answering = RawHttpClient.ExchangeAsync(
            gateway.Address.Port,
            RawHttpClient.Head($"{method} /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: "
                + $"{body.Length}") + body);
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.WriteTimeout);

        gateway.Clock.Advance(GatewaySetup.WriteTimeout);

        var refused = await answering;
        refused.Status.ShouldBe(504);
        refused.Text.ShouldContain("nothing was sent");
        held.Release();
        (await reading).ShouldBeServices(200);
        service.Script = _ => ServiceAction.Apply();
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        service.Entries.Select(e => e.Token).ShouldBe([null, null, 34]);
    }

    /// <summary>A write with <paramref name="token"/> waits for the whole hold, then goes on.</summary>
    private static async Task ShouldHoldBackAsync(FencedGateway gateway, long token)
    {
        var before = gateway.Service.Entries.Count;
        var answering = await gateway.PutWaitingAsync(token, GatewaySetup.InDoubtHold);
        gateway.Clock.Advance(GatewaySetup.InDoubtHold - TimeSpan.FromMilliseconds(1));
        await gateway.Clock.WaitForTimerAsync(TimeSpan.FromMilliseconds(1));
        gateway.Service.Entries.Count.ShouldBe(before);
        gateway.Clock.Advance(TimeSpan.FromMilliseconds(1));
        (await answering).ShouldBeServices(200);
    }
}
