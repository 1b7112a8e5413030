using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>SIGTERM: not ready, serve on for the delay, close, drain, close the store.</summary>
public sealed class ShutdownTests
{
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(13);

    /// <summary>With a long hold and little patience: a next start that holds newer tokens back says so soon.</summary>
    private static readonly GatewaySetup OnDisk = new()
    {
        Policy = """ "DrainTimeout": "00:00:03", "InDoubtHold": "01:00:00" """,
        Root = """ "Serilog": { "MinimumLevel": { "Default": "Information" } } """,
    };

    [Fact]
    public async Task Delay_NotReadyButServing_ThenWaitingOnesAreRefusedAndFlyingOnesFinish()
    {
        await using var gateway = await FencedGateway.StartAsync(new()
        {
            Policy = GatewaySetup.PatientDrain,
            Gateway = $$""" "Shutdown": { "Delay": "{{Delay}}" } """,
        });
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);
        var answering34 = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));

        var stopping = gateway.StopAsync();
        await gateway.Clock.WaitForTimerAsync(Delay);
        var ready = await gateway.AdminGetAsync("/readyz");
        ready.Status.ShouldBe(503);
        ready.Json.GetProperty("checks").GetProperty("shutdown").GetString().ShouldNotBe("ok");
        (await gateway.AdminGetAsync("/livez")).Status.ShouldBe(200);
        (await gateway.PutAsync(5, "/orders/2")).ShouldBeServices(200);
        answering34.IsCompleted.ShouldBeFalse();

        gateway.Clock.Advance(Delay);

        var refused = await answering34;
        refused.ShouldBeProblem(503, "shutting-down");
        refused.RetryAfter.ShouldNotBeNull();
        stopping.IsCompleted.ShouldBeFalse();
        held33.Release(201);
        (await answering33).ShouldBeServices(201);
        await stopping.WithinLimit("the gateway to stop");
        gateway.Service.Entries.Select(e => e.Token).ShouldBe([33, 5]);
    }

    /// <summary>
    /// A client that keeps its connection learns with an answer that the next request has to go elsewhere.
    /// </summary>
    [Fact]
    public async Task Delay_Answers_TellClientsToLeave()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Gateway = $$""" "Shutdown": { "Delay": "{{Delay}}" } """ });
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        var request = RawHttpClient
            .Head("PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: 1") + "x";
        await client.SendAsync(request);
        (await client.ReadResponseAsync()).Values("Connection").ShouldBeEmpty();
        var stopping = gateway.StopAsync();
        await gateway.Clock.WaitForTimerAsync(Delay);

        await client.SendAsync(request);
        var answer = await client.ReadResponseAsync();
        (answer.Status, answer.Values("Connection").ShouldHaveSingleItem()).ShouldBe((200, "close"));
        await client.WaitForCloseAsync();
        (await gateway.PutAsync(33)).ShouldBeServices(200);

        gateway.Clock.Advance(Delay);
        await stopping.WithinLimit("the gateway to stop");
    }

    [Fact]
    public async Task Sigterm_InFlightWriteFinishes_ExitsWith0AndTheNextStartHoldsNothingBack()
    {
        using var folder = new TempFolder();
        await using var service = await JournalService.StartAsync();
        service.Script = e => e.Token == 33 ? ServiceAction.Hold : ServiceAction.Apply();
        var options = await ConfigureAsync(folder, service, OnDisk);
        await using (var gateway = await GatewayProcess.StartAsync(options))
        {
            var answering = PutAsync(gateway, 33);
            var held = await service.NextArrivalAsync();
            gateway.Signal(UnixSignal.Terminate);
            await gateway.WaitForLineAsync(l => l.Contains("Asked to stop", StringComparison.Ordinal));
            held.Release();

            (await answering).ShouldBeServices(200);
            (await gateway.WaitForExitAsync()).ShouldBe(0);
        }

        await using var next = await GatewayProcess.StartAsync(options);
        (await PutAsync(next, 34)).ShouldBeServices(200);
        (await PutAsync(next, 33)).ShouldBeProblem(409, "fencing-token-stale");
    }

    [Fact]
    public async Task Sigterm_TimeoutExceeded_ExitsAndTheNextStartHoldsNewerTokensBack()
    {
        using var folder = new TempFolder();
        await using var service = await JournalService.StartAsync();
        service.Script = _ => ServiceAction.Hold;
        var setup = OnDisk with { Gateway = """ "Shutdown": { "Timeout": "00:00:01" } """ };
        var options = await ConfigureAsync(folder, service, setup);
        await using (var gateway = await GatewayProcess.StartAsync(options))
        {
            var answering = PutAsync(gateway, 33);
            _ = await service.NextArrivalAsync();
            gateway.Signal(UnixSignal.Terminate);

            (await gateway.WaitForExitAsync()).ShouldBe(0);
            await Should.ThrowAsync<HttpRequestException>(answering);
        }

        service.Script = _ => ServiceAction.Apply();
        await using var next = await GatewayProcess.StartAsync(options);
        (await PutAsync(next, 34)).ShouldBeProblem(503, "fence-draining");
        (await PutAsync(next, 33)).ShouldBeProblem(409, "fencing-token-stale");
        using var admin = FencedGateway.NewClient(next.AdminAddress);
        var shown = await Answer.ReadAsync(await admin.GetAsync("/admin/v1/resources/orders/1"));
        shown.Json.GetProperty("inDoubt")[0].GetProperty("cause").GetString().ShouldBe("crash");

        using var reason = new StringContent(""" { "reason": "the service was restarted" } """, null, "application/json");
        var resolved = await Answer.ReadAsync(await admin.PostAsync("/admin/v1/resources/orders/1/resolve", reason));
        resolved.Json.GetProperty("inDoubt").GetArrayLength().ShouldBe(0);
        (await PutAsync(next, 34)).ShouldBeServices(200);
    }

    private static async Task<GatewayProcessOptions> ConfigureAsync(
        TempFolder folder, JournalService service, GatewaySetup setup)
    {
        var store = $$""" "Provider": "Embedded", "Embedded": { "Path": "{{folder.File("tokens")}}" } """;
        await File.WriteAllTextAsync(
            folder.File("gateway.json"), (setup with { Store = store }).Render(service.Address));
        return new GatewayProcessOptions { ConfigFile = folder.File("gateway.json") };
    }

    private static async Task<Answer> PutAsync(GatewayProcess gateway, long token)
    {
        using var client = FencedGateway.NewClient(gateway.Address);
        using var request = new HttpRequestMessage(HttpMethod.Put, "/orders/1") { Content = new StringContent("x") };
        request.Headers.Add("Fencing-Token", token.ToString());
        using var response = await client.SendAsync(request);
        return await Answer.ReadAsync(response);
    }
}
