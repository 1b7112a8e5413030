using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>What each setting of a fencing policy changes.</summary>
public sealed class PolicyTests
{
    [Fact]
    public async Task BarrierSeal_NewerToken_DoesNotWaitButSealsOlderOnes()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "Barrier": "Seal" """ });
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);

        (await gateway.PutAsync(34)).ShouldBeServices(200);
        held33.Entry.Ended.ShouldBeNull();
        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");

        held33.Release();
        (await answering33).ShouldBeServices(200);
    }

    [Fact]
    public async Task AdvanceOnSuccess_FailedWrite_LeavesTheMark()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "AdvanceOn": "Success" """ });
        (await gateway.PutAsync(33)).ShouldBeServices(200);
        gateway.Service.Script = e => e.Token == 34 ? ServiceAction.Refuse(500) : ServiceAction.Apply();

        (await gateway.PutAsync(34)).ShouldBeServices(500);

        (await gateway.PutAsync(33)).ShouldBeServices(200);
        (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Json.GetProperty("mark").GetInt64().ShouldBe(33);
    }

    [Theory]
    [InlineData(200, "a body")]
    [InlineData(200, "")]
    [InlineData(204, "")]
    public async Task AdvanceOnSuccess_SuccessAnswered_TheMarkHasAdvanced(int status, string body)
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "AdvanceOn": "Success" """ });
        gateway.Service.Script = _ => ServiceAction.Apply(status, body);

        (await gateway.PutAsync(34)).ShouldBeServices(status);

        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
    }

    [Fact]
    public async Task AdvanceOnSuccess_HeadOfTheAnswerSeen_TheMarkHasAdvanced()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "AdvanceOn": "Success" """ });
        gateway.Hold(34);
        var (client, held34) = await gateway.PutRawAsync("a", 34);
        await using var _ = client;
        (await gateway.PutAsync(33)).ShouldBeServices(200);

        held34.SendPart("the first part");
        (await client.ReadUntilAsync("the first part")).ShouldContain("200 OK");

        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        held34.Release();
    }

    [Fact]
    public async Task ReadsAdvance_ReadWithANewerToken_MakesOlderWritesAndReadsStale()
    {
        await using var gateway = await FencedGateway.StartAsync();

        (await gateway.GetAsync(34)).ShouldBeServices(200);

        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        (await gateway.GetAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        (await gateway.GetAsync(null)).ShouldBeServices(200);
    }

    [Fact]
    public async Task ReadsAdvance_OlderWriteHeld_ReadWithATokenWaitsAndOneWithoutPasses()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (_, held33) = await gateway.PutHeldAsync(33);

        var reading = gateway.GetAsync(34);
        await gateway.Clock.WaitForTimerAsync(GatewaySetup.DrainTimeout);
        (await gateway.GetAsync(null)).ShouldBeServices(200);
        reading.IsCompleted.ShouldBeFalse();
        held33.Release();

        (await reading).ShouldBeServices(200);
        held33.Entry.Ended!.Value.ShouldBeLessThan(gateway.Service.Entries[2].Started);
    }

    [Fact]
    public async Task ReadsAdvance_ReadHeldAtTheService_DoesNotHoldNewerWritesBack()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Service.Script = e => e.IsWrite ? ServiceAction.Apply() : ServiceAction.Hold;
        var reading = gateway.GetAsync(33);
        var held = await gateway.Service.NextArrivalAsync();

        (await gateway.PutAsync(34)).ShouldBeServices(200);

        held.Release();
        (await reading).ShouldBeServices(200);
    }

    [Fact]
    public async Task ReadsIgnore_ReadsWithTokens_NeitherAdvanceNorAreRefused()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "Reads": "Ignore" """ });
        (await gateway.GetAsync(34)).ShouldBeServices(200);
        (await gateway.PutAsync(33)).ShouldBeServices(200);
        (await gateway.GetAsync(32)).ShouldBeServices(200);
        (await gateway.PutAsync(32)).ShouldBeProblem(409, "fencing-token-stale");
    }

    [Fact]
    public async Task MissingTokenAllow_WriteWithoutAToken_PassesWithoutAnythingThatLooksLikeOne()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "MissingToken": "Allow" """ });
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        var response = await RawHttpClient.ExchangeAsync(
            gateway.Address.Port,
            RawHttpClient.Head("PUT /orders/1 HTTP/1.1", "Host: test", "Fencing_Token: 99", "Content-Length: 0"));

        response.Status.ShouldBe(200);
        gateway.Service.Entries[1].Headers.Keys
            .ShouldNotContain(k => k.StartsWith("Fencing", StringComparison.OrdinalIgnoreCase));
        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
    }

    [Fact]
    public async Task ModeReport_WhateverTheFenceSays_IsForwardedAndCounted()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "Mode": "Report" """ });
        using var meter = new MeterRecorder(gateway);
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);

        (await gateway.PutAsync(34)).ShouldBeServices(200);
        (await gateway.PutAsync(32)).ShouldBeServices(200);
        (await gateway.PutAsync(null)).ShouldBeServices(200);
        (await gateway.PutAsync(-1)).ShouldBeServices(200);
        held33.Release();
        (await answering33).ShouldBeServices(200);

        gateway.Service.Entries.Count.ShouldBe(5);
        meter.Outcomes.ShouldBe(["admitted", "admitted", "stale", "token_missing", "token_malformed"]);
        meter.Of("fencegateway.fence.checks").ShouldAllBe(m => m.Tags["fencegateway.mode"] == "report");
    }

    [Fact]
    public async Task ModeReport_WriteTimeoutPasses_TheWriteGoesOn()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "Mode": "Report" """ });
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);

        gateway.Clock.Advance(2 * GatewaySetup.WriteTimeout);
        held33.Release(201);

        (await answering33).ShouldBeServices(201);
    }

    [Fact]
    public async Task ModeOff_Tokens_AreNotLookedAt()
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = """ "Mode": "Off" """ });
        using var meter = new MeterRecorder(gateway);

        (await gateway.PutAsync(34)).ShouldBeServices(200);
        (await gateway.PutAsync(33)).ShouldBeServices(200);
        (await gateway.PutAsync(-1)).ShouldBeServices(200);
        (await gateway.PutAsync(null)).ShouldBeServices(200);

        meter.Outcomes.ShouldBeEmpty();
        (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Status.ShouldBe(404);
    }

    [Theory]
    [InlineData("true", 34L)]
    [InlineData("false", null)]
    public async Task ExposeMark_StaleAnswer_TellsTheMarkOnlyIfAsked(string expose, long? mark)
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Policy = $""" "ExposeMark": {expose} """ });
        (await gateway.PutAsync(34)).ShouldBeServices(200);

        var stale = await gateway.PutAsync(33);

        stale.ShouldBeProblem(409, "fencing-token-stale");
        stale.RetryAfter.ShouldBeNull();
        (stale.Json.TryGetProperty("mark", out var told) ? told.GetInt64() : (long?)null).ShouldBe(mark);
        stale.Json.GetProperty("resource").GetString().ShouldBe("orders/1");
        stale.Json.GetProperty("route").GetString().ShouldBe("orders");
        stale.Json.GetProperty("presentedToken").GetInt64().ShouldBe(33);
    }
}
