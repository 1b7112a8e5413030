using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.FunctionalTests.Resilience;

namespace FenceGateway.Gateway.FunctionalTests.Chaos;

/// <summary>What is injected looks to the client, the fence and the retries as if the service had done it.</summary>
public sealed class ChaosTests
{
    private const string Header = "FenceGateway-Chaos";
    private const string OnlyMarked = """ "Header": "X-Chaos" """;

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task Injection_NeedsBothSwitches(bool enabled, bool allowed)
    {
        await using var gateway = await FencedGateway.StartAsync(
            Setup(""" "Outcome": 418 """, enabled) with { AllowChaos = allowed });

        var answer = await gateway.GetAsync(null, "/open/1");

        answer.ShouldBeServices(enabled && allowed ? 418 : 200);
        var shown = (await gateway.AdminGetAsync("/admin/v1/config")).Json.GetProperty("chaos");
        shown.GetProperty("allowed").GetBoolean().ShouldBe(allowed);
        shown.GetProperty("inForce").GetArrayLength().ShouldBe(enabled && allowed ? 1 : 0);
    }

    [Fact]
    public async Task Outcome_OfAFencedWrite_EndsItWithoutTheService()
    {
        await using var gateway = await StartAsync($$""" "Outcome": 503, {{OnlyMarked}} """);
        using var meter = new MeterRecorder(gateway);

        var answer = await PutMarkedAsync(gateway, 33);

        answer.ShouldBeServices(503);
        answer.Text.ShouldBeEmpty();
        answer.Headers[Header].ShouldBe("rule");
        gateway.Service.Entries.ShouldBeEmpty();
        var injection = meter.Of("fencegateway.chaos.injections").ShouldHaveSingleItem();
        injection.Tags["fencegateway.rule"].ShouldBe("rule");
        injection.Tags["fencegateway.kind"].ShouldBe("outcome");

        var plain = await gateway.PutAsync(34);
        plain.ShouldBeServices(200);
        plain.Headers.Keys.ShouldNotContain(Header);
    }

    [Fact]
    public async Task Reset_OfAFencedWrite_LeavesItInDoubt()
    {
        await using var gateway = await StartAsync($$""" "Fault": "Reset", {{OnlyMarked}} """);

        var answer = await PutMarkedAsync(gateway, 33);

        answer.ShouldBeProblem(502, "upstream-unreachable");
        answer.Headers[Header].ShouldBe("rule");
        gateway.Service.Entries.ShouldBeEmpty();
        var answering34 = await gateway.PutWaitingAsync(34, GatewaySetup.InDoubtHold);
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);
        (await answering34).ShouldBeServices(200);
    }

    [Fact]
    public async Task ConnectionRefused_OfAFencedWrite_LeavesNothingInDoubt()
    {
        await using var gateway = await StartAsync($$""" "Fault": "ConnectionRefused", {{OnlyMarked}} """);

        var answer = await PutMarkedAsync(gateway, 33);

        answer.ShouldBeProblem(502, "upstream-unreachable");
        answer.Json.GetProperty("detail").GetString().ShouldNotBeNull().ShouldContain("nothing was sent");
        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    [Fact]
    public async Task Latency_WithinTheTimeouts_DelaysTheServicesAnswer()
    {
        await using var gateway = await StartAsync(""" "Latency": "00:00:03" """);

        var answering = gateway.PutAsync(33);
        await gateway.Clock.WaitForTimerAsync(TimeSpan.FromSeconds(3));
        gateway.Service.Entries.ShouldBeEmpty();
        gateway.Clock.Advance(TimeSpan.FromSeconds(3));

        var answer = await answering;
        answer.ShouldBeServices(200);
        answer.Headers[Header].ShouldBe("rule");
    }

    [Fact]
    public async Task Latency_BeyondTheWriteTimeout_Is504AndInDoubt()
    {
        await using var gateway = await StartAsync($$""" "Latency": "00:05:00", {{OnlyMarked}} """);

        var answering = PutMarkedAsync(gateway, 33);
        await gateway.Clock.WaitForTimerAsync(TimeSpan.FromMinutes(5));
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);

        (await answering).ShouldBeProblem(504, "upstream-timeout");
        gateway.Service.Entries.ShouldBeEmpty();
        var answering34 = await gateway.PutWaitingAsync(34, GatewaySetup.InDoubtHold);
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);
        (await answering34).ShouldBeServices(200);
    }

    [Theory]
    [InlineData(""" "Outcome": 503 """, "PUT", 3)]
    [InlineData(""" "Outcome": 503 """, "POST", 1)]
    [InlineData(""" "Fault": "ConnectionRefused" """, "POST", 3)]
    [InlineData(""" "Fault": "Reset" """, "PUT", 3)]
    [InlineData(""" "Fault": "Reset" """, "POST", 1)]
    public async Task Retries_SeeWhatIsInjected(string rule, string method, int attempts)
    {
        var chaos = Setup(rule);
        await using var gateway = await FencedGateway.StartAsync(chaos with
        {
            AllowChaos = true,
            Cluster = """ "Metadata": { "ResiliencePolicy": "p" } """,
            Gateway = chaos.Gateway + """, "ResiliencePolicies": { "p": { "Retry": { "MaxAttempts": 3 } } } """,
        });
        using var meter = new MeterRecorder(gateway);

        var answer = await gateway.MoveOnUntilAsync(gateway.SendAsync(new HttpMethod(method), 33));

        answer.Status.ShouldBe(rule.Contains("503") ? 503 : 502);
        meter.Of("fencegateway.chaos.injections").Count.ShouldBe(attempts);
        answer.Headers[Header].ShouldBe("rule");
        gateway.Service.Entries.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(""" "Outcome": 503 """)]
    [InlineData(""" "Fault": "ConnectionRefused" """)]
    [InlineData(""" "Fault": "Reset" """)]
    public async Task Circuit_SeesWhatIsInjected(string rule)
    {
        var chaos = Setup(rule);
        await using var gateway = await FencedGateway.StartAsync(chaos with
        {
            AllowChaos = true,
            Cluster = """ "Metadata": { "ResiliencePolicy": "p" } """,
            Gateway = chaos.Gateway + """, "ResiliencePolicies": { "p": { "CircuitBreaker": { "MinimumThroughput": 3 } } } """,
        });

        for (var i = 0; i < 3; i++)
        {
            (await gateway.GetAsync(null, "/open/1")).Problem.ShouldNotBe("circuit-open");
        }

        var refused = await gateway.GetAsync(null, "/open/1");
        refused.ShouldBeProblem(503, "circuit-open");
        refused.Headers.Keys.ShouldNotContain(Header);
    }

    [Fact]
    public async Task Reload_RuleChangedAndChaosTurnedOff_IsInForceAtOnce()
    {
        await using var gateway = await StartAsync(""" "Outcome": 418 """);
        (await gateway.PutAsync(33)).ShouldBeServices(418);

        await gateway.ReloadAsync(Setup(""" "Outcome": 429 """));
        (await gateway.PutAsync(33)).ShouldBeServices(429);

        await gateway.ReloadAsync(Setup(""" "Outcome": 429 """, enabled: false));
        (await gateway.PutAsync(33)).ShouldBeServices(200);
    }

    private static Task<FencedGateway> StartAsync(string rule) =>
        FencedGateway.StartAsync(Setup(rule) with { AllowChaos = true });

    private static GatewaySetup Setup(string rule, bool enabled = true) => new()
    {
        Policy = GatewaySetup.PatientDrain,
        Gateway = $$"""
            "Chaos": { "Enabled": {{(enabled ? "true" : "false")}}, "Rules": { "rule": { "Route": "*", "InjectionRate": 1, {{rule}} } } }
            """,
    };

    private static async Task<Answer> PutMarkedAsync(FencedGateway gateway, long token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, "/orders/1") { Content = new StringContent("x") };
        request.Headers.Add("Fencing-Token", $"{token}");
        request.Headers.Add("X-Chaos", "1");
        using var response = await gateway.Client.SendAsync(request);
        return await Answer.ReadAsync(response);
    }
}
