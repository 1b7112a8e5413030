using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.FunctionalTests.Resilience;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Idempotency;

/// <summary>
/// What is left of a key whose first request did not get a whole answer, or did not get through the fence.
/// </summary>
public sealed class OutcomeTests
{
    private const string Honoured = """ "HonouredByService": true """;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Reset_Repeat_IsUnknownAndNotForwarded(bool applied)
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Service.Script = _ => ServiceAction.Reset(applied);
        (await gateway.PostAsync("k")).ShouldBeProblem(502, "upstream-unreachable");
        gateway.Service.Script = _ => ServiceAction.Apply();

        (await gateway.PostAsync("k")).ShouldBeProblem(409, "idempotency-outcome-unknown");
        (await gateway.PostAsync("k", "other")).ShouldBeProblem(422, "idempotency-key-reused");
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(502)]
    [InlineData(504)]
    public async Task GatewayBehind_DoesNotKnow_RepeatIsUnknown(int status)
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Service.Script = _ => ServiceAction.Apply(status, "a proxy further on");
        (await gateway.PostAsync("k")).ShouldBeServices(status);

        (await gateway.PostAsync("k")).ShouldBeProblem(409, "idempotency-outcome-unknown");
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task GatewayBehind_DoesNotKnowAndARetryIsTurnedAway_RepeatIsUnknown()
    {
        await using var gateway = await KeyedGateway.StartAsync(
            mechanisms: """, "Retry": { "MaxAttempts": 2, "BaseDelay": "00:00:00.001" } """);
        var count = 0;
        gateway.Service.Script = _ => ++count == 1
            ? ServiceAction.Apply(504, "a proxy further on")
            : ServiceAction.Refuse(503);
        var put = new Keyed { Method = HttpMethod.Put, Key = "k" };
        (await gateway.MoveOnUntilAsync(gateway.SendAsync(put))).ShouldBeServices(503);

        (await gateway.MoveOnUntilAsync(gateway.SendAsync(put))).ShouldBeProblem(409, "idempotency-outcome-unknown");
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Reset_HonouredByService_RepeatIsForwarded()
    {
        await using var gateway = await KeyedGateway.StartAsync(Honoured);
        gateway.Service.Script = _ => ServiceAction.Reset(applied: true);
        (await gateway.PostAsync("k")).Status.ShouldBe(502);
        gateway.Service.Script = _ => ServiceAction.Apply(201, "once");

        var second = await gateway.PostAsync("k");

        second.ShouldBeServices(201);
        (await gateway.PostAsync("k")).ShouldBeReplay(second);
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Reset_HonouredByServiceWithRetries_OneAnswerIsStored()
    {
        await using var gateway = await KeyedGateway.StartAsync(
            Honoured, """, "Retry": { "MaxAttempts": 2, "BaseDelay": "00:00:00.001" } """);
        var count = 0;
        gateway.Service.Script = _ => ++count == 1
            ? ServiceAction.Reset(applied: false)
            : ServiceAction.Apply(201, "once");
        var first = await gateway.MoveOnUntilAsync(gateway.PostAsync("k"));

        first.ShouldBeServices(201);
        first.Text.ShouldBe("once");
        (await gateway.PostAsync("k")).ShouldBeReplay(first);
        gateway.Service.Entries.Select(e => e.BodyLength).ShouldBe([4, 4]);
    }

    [Fact]
    public async Task NotSent_Repeat_IsTheFirstAgain()
    {
        var port = FreePorts.Next();
        await using var gateway = await FencedGateway.StartAsync(
            KeyedGateway.Setup(), _ => new Uri($"http://127.0.0.1:{port}/"));

        (await gateway.PostAsync("k")).ShouldBeProblem(502, "upstream-unreachable");
        (await gateway.PostAsync("k")).ShouldBeProblem(502, "upstream-unreachable");
        (await gateway.PostAsync("k", "other")).ShouldBeProblem(502, "upstream-unreachable");
    }

    [Fact]
    public async Task AnswerTooLong_IsPassedOnWholeAndCannotBeRepeated()
    {
        await using var gateway = await KeyedGateway.StartAsync(""" "MaxAnswerBody": 10000 """);
        var longest = new string('x', 10_000);
        gateway.Service.Script = e => ServiceAction.Apply(200, e.Resource.EndsWith('1') ? longest : longest + "y");
        var fits = await gateway.PostAsync("fits", path: "/plain/1");
        var tooLong = await gateway.PostAsync("too-long", path: "/plain/2");

        tooLong.Text.ShouldBe(longest + "y");
        (await gateway.PostAsync("fits", path: "/plain/1")).ShouldBeReplay(fits);
        var repeat = await gateway.PostAsync("too-long", path: "/plain/2");
        repeat.ShouldBeProblem(409, "idempotency-outcome-unknown");
        repeat.Text.ShouldContain("too long to be kept");
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task AnswerBrokenInTheMiddle_IsAProblemAndNotHalfAnAnswer()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.HoldAll();
        var answering = gateway.PostAsync("k");
        var arrival = await gateway.Service.NextArrivalAsync();
        arrival.SendPart("half of it", 201);
        arrival.Reset(applied: true);

        (await answering).ShouldBeProblem(502, "upstream-unreachable");
        (await gateway.PostAsync("k")).ShouldBeProblem(409, "idempotency-outcome-unknown");
    }

    [Fact]
    public async Task ClientLeaves_RequestGoesOnAndTheRepeatGetsItsAnswer()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.HoldAll();
        ServiceArrival arrival;
        await using (var client = await RawHttpClient.ConnectAsync(gateway.Address.Port))
        {
            await client.SendAsync(RawHttpClient.Head(
                "POST /plain/1 HTTP/1.1", $"Host: {gateway.Address.Authority}", "Idempotency-Key: k",
                "Content-Type: text/plain",
                $"{JournalService.RequestIdHeader}: left", "Content-Length: 4") + "body");
            arrival = await gateway.Service.NextArrivalAsync();
            await arrival.WaitForBodyAsync(4);
        }

        await gateway.WaitForClientGoneAsync("left");
        arrival.Release(201, "done all the same");
        (await gateway.WaitForStatusAsync("left")).ShouldBe(201);

        var repeat = await gateway.PostAsync("k");

        repeat.ShouldBeServices(201);
        repeat.Text.ShouldBe("done all the same");
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task StaleHolder_RepeatsAnAppliedWrite_GetsItsAnswerAndNot409()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Service.Script = e => ServiceAction.Apply(200, $"by {e.Token}");
        var first = await gateway.PostFencedAsync(33, "of-33");
        (await gateway.PostFencedAsync(34, "of-34")).ShouldBeServices(200);

        (await gateway.PostFencedAsync(33, "of-33")).ShouldBeReplay(first);
        (await gateway.PostFencedAsync(34, "of-33")).ShouldBeReplay(first);
        (await gateway.PostFencedAsync(33, "new")).ShouldBeProblem(409, "fencing-token-stale");
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task StaleHolder_RefusedByTheFence_KeyIsFreeForTheNextHolder()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        (await gateway.PostFencedAsync(33, "k")).ShouldBeProblem(409, "fencing-token-stale");

        (await gateway.PostFencedAsync(34, "k")).ShouldBeServices(200);
    }

    [Fact]
    public async Task Admission_DrainsInVain_KeyIsFree()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);
        var keyed = gateway.PostFencedAsync(34, "k");
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.DrainTimeout);
        gateway.Clock.Advance(GatewaySetup.DrainTimeout);
        (await keyed).ShouldBeProblem(503, "fence-draining");
        held33.Release();
        (await answering33).ShouldBeServices(200);

        (await gateway.PostFencedAsync(34, "k")).ShouldBeServices(200);
    }

    [Fact]
    public async Task WriteTimeout_Repeat_IsUnknown()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Hold(33);
        var answering = gateway.PostFencedAsync(33, "k");
        await gateway.Service.NextArrivalAsync();
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.WriteTimeout);
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        (await answering).ShouldBeProblem(504, "upstream-timeout");

        (await gateway.PostFencedAsync(33, "k")).ShouldBeProblem(409, "idempotency-outcome-unknown");
        gateway.Service.Entries.Count.ShouldBe(1);
    }
}
