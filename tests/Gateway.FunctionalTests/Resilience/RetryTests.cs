using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience;

/// <summary>What is tried again, what is not, and what the fence knows of it.</summary>
public sealed class RetryTests
{
    private static readonly GatewaySetup Setup = ResilientSetup.With(""" "Retry": { "MaxAttempts": 3 } """);

    [Theory]
    [InlineData("PUT", true)]
    [InlineData("DELETE", true)]
    [InlineData("GET", true)]
    [InlineData("POST", false)]
    [InlineData("PATCH", false)]
    public async Task Status503_Once_IdempotentMethodsGetASecondAttempt(string method, bool isTriedAgain)
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Service.Script = FailFirst(ServiceAction.Refuse(503, "busy"));

        var answer = await gateway.MoveOnUntilAsync(gateway.SendAsync(new HttpMethod(method), 33));

        answer.ShouldBeServices(isTriedAgain ? 200 : 503);
        answer.Text.ShouldBe(isTriedAgain ? "" : "busy");
        gateway.Service.Entries.Count.ShouldBe(isTriedAgain ? 2 : 1);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    /// <summary>The second attempt would be told 412 for what the first one did.</summary>
    [Theory]
    [InlineData("PUT", "If-Match: \"a\"", 502, 1)]
    [InlineData("PUT", "If-None-Match: *", 502, 1)]
    [InlineData("DELETE", "If-Unmodified-Since: Tue, 15 Nov 1994 08:12:31 GMT", 502, 1)]
    [InlineData("PUT", "If: (<urn:uuid:1>)", 502, 1)]
    [InlineData("GET", "If-None-Match: \"a\"", 200, 2)]
    [InlineData("PUT", "Accept: */*", 200, 2)]
    public async Task Reset_OfAConditionalWrite_IsNotTriedAgain(string method, string header, int status, int sent)
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Service.Script = FailFirst(ServiceAction.Reset(applied: true));

        var answering = RawHttpClient.ExchangeAsync(
            gateway.Address.Port,
            RawHttpClient.Head(
                $"{method} /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", header, "Content-Length: 0"));

        (await gateway.MoveOnUntilAsync(answering)).Status.ShouldBe(status);
        gateway.Service.Entries.Count.ShouldBe(sent);
    }

    [Theory]
    [InlineData("2147483648")]
    [InlineData("99999999999999999999")]
    public async Task Status503_WithARetryAfterThatIsLongerThanAnInt_IsTheAnswer(string seconds)
    {
        await using var service = new FaultyService();
        service.Script = _ => new Fault("busy", async e =>
        {
            await e.ReadBodyAsync();
            await e.AnswerAsync(503, "busy", $"Retry-After: {seconds}");
            return true;
        });
        await using var gateway = await FencedGateway.StartAsync(Setup, _ => service.Address);

        var answer = await gateway.MoveOnUntilAsync(gateway.PutAsync(33));

        (answer.Status, answer.Text).ShouldBe((503, "busy"));
        service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Status503_EachTime_TheLastAnswerIsTheServicesOwn()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Service.Script = _ => ServiceAction.Refuse(503, "busy");

        var answer = await gateway.MoveOnUntilAsync(gateway.PutAsync(33));

        answer.ShouldBeServices(503);
        answer.Text.ShouldBe("busy");
        gateway.Service.Entries.Count.ShouldBe(3);
    }

    [Theory]
    [InlineData("PUT", true)]
    [InlineData("POST", false)]
    public async Task Reset_Once_IdempotentMethodIsTriedAgainAndStaysInDoubt(string method, bool isTriedAgain)
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Service.Script = FailFirst(ServiceAction.Reset(applied: true));

        var answer = await gateway.MoveOnUntilAsync(gateway.SendAsync(new HttpMethod(method), 33));

        if (isTriedAgain)
        {
            answer.ShouldBeServices(200);
        }
        else
        {
            answer.ShouldBeProblem(502, "upstream-unreachable");
        }

        gateway.Service.Entries.Count.ShouldBe(isTriedAgain ? 2 : 1);
        var resource = (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Json;
        resource.GetProperty("inDoubt").GetArrayLength().ShouldBe(1);
        resource.GetProperty("inFlight").GetInt32().ShouldBe(0);
    }

    [Fact]
    public async Task Retry_KeepsTheBodyAndTheGatewaysHeaders()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Service.Script = FailFirst(ServiceAction.Refuse(503, "busy"));

        var answer = await gateway.MoveOnUntilAsync(gateway.PutAsync(33));

        gateway.Service.Entries.ShouldAllBe(e => e.BodyLength == 1);
        gateway.Service.Entries[1].Headers["X-Correlation-Id"].ShouldBe(
            gateway.Service.Entries[0].Headers["X-Correlation-Id"]);
        answer.Headers["X-Correlation-Id"].ShouldBe(gateway.Service.Entries[0].Headers["X-Correlation-Id"][0]);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    public async Task ConnectionRefused_AnyMethod_IsTriedAgainAtAnotherDestination(string method)
    {
        var setup = Setup with
        {
            Cluster = $$"""
                "LoadBalancingPolicy": "FirstAlphabetical", "Metadata": { "ResiliencePolicy": "p" },
                "Destinations": { "a": { "Address": "http://127.0.0.1:{{FreePorts.Next()}}/" }, "b": { "Address": "SERVICE" } }
                """,
        };
        await using var gateway = await FencedGateway.StartAsync(setup);

        (await gateway.MoveOnUntilAsync(gateway.SendAsync(new HttpMethod(method), 33))).ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(1);
        (await gateway.MoveOnUntilAsync(gateway.SendAsync(new HttpMethod(method), 34))).ShouldBeServices(200);
    }

    [Fact]
    public async Task NewerTokenSealsBetweenTwoAttempts_TheOlderIsNotSentAgain()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);
        var answering34 = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));

        held33.Release(503, applied: false);

        var answer = await gateway.MoveOnUntilAsync(answering33);
        answer.ShouldBeProblem(409, "fencing-token-stale");
        (await answering34).ShouldBeServices(200);
        gateway.Service.Entries.Count(e => e.Token == 33).ShouldBe(1);
    }

    [Fact]
    public async Task NewerTokenSealsAfterAnAttemptInDoubt_TheAnswerSaysThatItMayHaveBeenApplied()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);
        var answering34 = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));

        held33.Reset(applied: true);

        var answer = await gateway.MoveOnUntilAsync(answering33);
        answer.ShouldBeProblem(502, "upstream-unreachable");
        answer.Text.ShouldContain("may have been applied");
        answering34.IsCompleted.ShouldBeFalse();
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);
        (await gateway.MoveOnUntilAsync(answering34)).ShouldBeServices(200);
    }

    [Fact]
    public async Task RefusedAfterADroppedAnswer_AnEarlierAttemptIsInDoubt_TheAnswerIsNoSuccess()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Hold(33);
        var (answering33, first) = await gateway.PutHeldAsync(33);
        first.Reset(applied: true);
        var second = await gateway.MoveOnUntilArrivalAsync();
        var answering34 = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));
        second.Release(503, applied: false);

        var answer = await gateway.MoveOnUntilAsync(answering33);

        answer.ShouldBeProblem(502, "upstream-unreachable");
        answer.Text.ShouldContain("may have been applied");
        answering34.IsCompleted.ShouldBeFalse();
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);
        (await gateway.MoveOnUntilAsync(answering34)).ShouldBeServices(200);
        gateway.Service.Entries.Count(e => e.Token == 33).ShouldBe(2);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(504)]
    public async Task NewerTokenSealsAfterADroppedAnswerThatSaysNothing_TheAnswerIsNot409(int status)
    {
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "Retry": { "MaxAttempts": 3, "Statuses": [ 500, 504 ] } """));
        gateway.Hold(33);
        var (answering33, held33) = await gateway.PutHeldAsync(33);
        var answering34 = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));

        held33.Release(status, applied: true);

        var answer = await gateway.MoveOnUntilAsync(answering33);
        answer.ShouldBeProblem(502, "upstream-unreachable");
        answer.Text.ShouldContain($"answered {status}");
        (await gateway.MoveOnUntilAsync(answering34)).ShouldBeServices(200);
    }

    [Fact]
    public async Task NoConnectionAfterADroppedAnswer_TheAnswerDoesNotSayThatNothingWasSent()
    {
        var setup = ResilientSetup.With(""" "Retry": { "MaxAttempts": 2 } """) with
        {
            Cluster = $$"""
                "LoadBalancingPolicy": "FirstAlphabetical", "Metadata": { "ResiliencePolicy": "p" },
                "Destinations": { "a": { "Address": "SERVICE" }, "b": { "Address": "http://127.0.0.1:{{FreePorts.Next()}}/" } }
                """,
        };
        await using var gateway = await FencedGateway.StartAsync(setup);
        gateway.Service.Script = _ => ServiceAction.Apply(504);

        var answer = await gateway.MoveOnUntilAsync(gateway.PutAsync(33));

        answer.ShouldBeProblem(502, "upstream-unreachable");
        answer.Text.ShouldContain("an earlier attempt was sent");
    }

    [Fact]
    public async Task TwoAttempts_TheNewerTokenWaitsForBoth()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Hold(33);
        var (answering33, first) = await gateway.PutHeldAsync(33);
        first.Release(503, applied: false);
        var second = await gateway.MoveOnUntilArrivalAsync();
        var answering34 = await gateway.PutWaitingAsync(34, TimeSpan.FromMinutes(9));
        second.Release();

        (await answering33).ShouldBeServices(200);
        (await answering34).ShouldBeServices(200);
        gateway.Service.Entries.Select(e => e.Token).ShouldBe([33, 33, 34]);
    }

    [Fact]
    public async Task Total_PassesDuringTheWait_TheGatewaySaysSo()
    {
        await using var gateway = await FencedGateway.StartAsync(ResilientSetup.With("""
            "Retry": { "BaseDelay": "00:00:30", "MaxDelay": "00:00:30" }, "Timeouts": { "Total": "00:00:02" }
            """));
        gateway.Service.Script = _ => ServiceAction.Refuse(503, "busy");
        var answering = gateway.PutAsync(33);
        await (await gateway.Service.NextArrivalAsync()).WaitForEndAsync();
        while (!answering.IsCompleted)
        {
            gateway.Clock.Advance(TimeSpan.FromSeconds(5));
            await Task.WhenAny(answering, Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System));
        }

        (await answering).ShouldBeProblem(504, "upstream-timeout");
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Budget_IsSpent_FurtherFailuresAreAnsweredAtOnce()
    {
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "Retry": { "MaxAttempts": 2, "BudgetRatio": 0.1, "BaseDelay": "00:00:00.001", "MaxDelay": "00:00:00.001" } """));
        using var meters = new MeterRecorder(gateway);
        gateway.Service.Script = _ => ServiceAction.Refuse(503);
        for (var i = 0; i < 50; i++)
        {
            (await gateway.MoveOnUntilAsync(gateway.PutAsync(33))).ShouldBeServices(503);
        }

        gateway.Service.Entries.Count.ShouldBeLessThanOrEqualTo(50 + 5);
        gateway.Service.Entries.Count.ShouldBeGreaterThan(50);
        meters.Of("fencegateway.retries").Count.ShouldBe(gateway.Service.Entries.Count - 50);
        meters.Of("fencegateway.retries").ShouldAllBe(
            m => m.Tags["fencegateway.reason"] == "status" && m.Tags["fencegateway.route"] == "orders");
        meters.Of("fencegateway.retries.out_of_budget").Count.ShouldBe(50 - (gateway.Service.Entries.Count - 50));
    }

    [Fact]
    public async Task BodyLongerThanIsKept_AfterAReset_IsNotSentAgain()
    {
        await using var gateway = await FencedGateway.StartAsync(ResilientSetup.With(""" "Retry": { "MaxBody": 100 } """));
        gateway.Service.Script = FailFirst(ServiceAction.Reset(applied: false));
        using var content = new StringContent(new string('x', 101));
        using var request = new HttpRequestMessage(HttpMethod.Put, "/orders/1") { Content = content };
        request.Headers.Add("Fencing-Token", "33");

        using var response = await gateway.Client.SendAsync(request);

        (await Answer.ReadAsync(response)).ShouldBeProblem(502, "upstream-unreachable");
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    private static Func<JournalEntry, ServiceAction> FailFirst(ServiceAction failure)
    {
        var count = 0;
        return _ => Interlocked.Increment(ref count) == 1 ? failure : ServiceAction.Apply();
    }
}
