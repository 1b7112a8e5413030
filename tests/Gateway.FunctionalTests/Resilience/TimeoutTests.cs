using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience;

/// <summary>Each time-out: the answer, and what it means for the fence.</summary>
public sealed class TimeoutTests
{
    private static readonly TimeSpan FirstByte = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Total = TimeSpan.FromSeconds(5);

    private static readonly GatewaySetup Setup = ResilientSetup.With("""
        "Timeouts": { "FirstByte": "00:00:03", "Total": "00:00:05" }
        """);

    [Fact]
    public async Task FirstByte_FencedWriteWithoutAnAnswer_504AndInDoubt()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Hold(33);
        var (answering, held) = await gateway.PutHeldAsync(33);

        gateway.Clock.Advance(FirstByte);

        (await answering).ShouldBeProblem(504, "upstream-timeout");
        await held.WaitForClientGoneAsync();
        await ShouldBeInDoubtAsync(gateway, 33);
    }

    [Fact]
    public async Task FirstByte_UnfencedRequestWithoutAnAnswer_504()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.HoldAll();
        var answering = gateway.GetAsync(null, "/open/1");
        var held = await gateway.Service.NextArrivalAsync();

        gateway.Clock.Advance(FirstByte);

        (await answering).ShouldBeProblem(504, "upstream-timeout");
        await held.WaitForClientGoneAsync();
    }

    [Fact]
    public async Task FirstByte_TheHeadIsThere_OnlyTheTotalCounts()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Hold(33);
        var (client, held) = await gateway.PutRawAsync("a", 33);
        await using var _ = client;
        held.SendPart("half");
        await client.ReadUntilAsync("half");

        gateway.Clock.Advance(FirstByte);
        held.SendPart("more");
        await client.ReadUntilAsync("more");
        gateway.Clock.Advance(Total - FirstByte);

        await held.WaitForClientGoneAsync();
        await client.WaitForCloseAsync();
        await ShouldBeInDoubtAsync(gateway, 33);
    }

    [Fact]
    public async Task Total_BelowTheWriteTimeout_EndsAFencedWrite()
    {
        await using var gateway = await FencedGateway.StartAsync(ResilientSetup.With(""" "Timeouts": { "Total": "00:00:05" } """));
        gateway.Hold(33);
        var (answering, _) = await gateway.PutHeldAsync(33);

        gateway.Clock.Advance(Total);

        (await answering).ShouldBeProblem(504, "upstream-timeout");
    }

    [Fact]
    public async Task Total_AboveTheWriteTimeout_TheWriteTimeoutEndsAFencedWrite()
    {
        await using var gateway = await FencedGateway.StartAsync(ResilientSetup.With(""" "Timeouts": { "Total": "00:01:00" } """));
        gateway.Hold(33);
        var (answering, _) = await gateway.PutHeldAsync(33);

        gateway.Clock.Advance(GatewaySetup.WriteTimeout);

        (await answering).ShouldBeProblem(504, "upstream-timeout");
    }

    [Fact]
    public async Task Timeouts_UnfencedClientLeaves_TheServiceIsLeftToo()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.HoldAll();
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendAsync(RawHttpClient.Head("GET /open/1 HTTP/1.1", "Host: test"));
        var held = await gateway.Service.NextArrivalAsync();

        client.Abort();

        await held.WaitForClientGoneAsync();
    }

    [Fact]
    public async Task Idle_BodyStandsStill_EndsTheAnswer()
    {
        await using var gateway = await FencedGateway.StartAsync(ResilientSetup.With(""" "Timeouts": { "Idle": "00:00:00.300" } """));
        gateway.Hold(33);
        var (client, held) = await gateway.PutRawAsync("a", 33);
        await using var _ = client;
        held.SendPart("half");
        await client.ReadUntilAsync("half");

        await held.WaitForClientGoneAsync();
        await client.WaitForCloseAsync();
        await ShouldBeInDoubtAsync(gateway, 33);
    }

    [Fact]
    public async Task Idle_NoAnswer_504()
    {
        await using var gateway = await FencedGateway.StartAsync(ResilientSetup.With(""" "Timeouts": { "Idle": "00:00:00.300" } """));
        gateway.HoldAll();

        (await gateway.GetAsync(null, "/open/1")).ShouldBeProblem(504, "upstream-timeout");
    }

    [Fact]
    public async Task Connect_ServiceDoesNotAccept_504AndNothingIsInDoubt()
    {
        using var listener = new FullListener();
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "Timeouts": { "Connect": "00:00:01.234" } """), _ => listener.Address);
        var answering = gateway.PutAsync(33);
        await gateway.Clock.WaitForTimerAsync(TimeSpan.FromMilliseconds(1234));

        gateway.Clock.Advance(TimeSpan.FromMilliseconds(1234));

        var answer = await answering;
        answer.ShouldBeProblem(504, "upstream-timeout");
        answer.Text.ShouldContain("nothing was sent");
        (await InDoubtAsync(gateway)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData(""" "Timeouts": { "Total": "00:10:00" }, """)]
    public async Task RoutesOwnTimeout_504AndTheCircuitHearsOfIt(string times)
    {
        await using var gateway = await FencedGateway.StartAsync(ResilientSetup.With(times + """ "CircuitBreaker": { } """) with
        {
            Routes = """ "slow": { "ClusterId": "service", "Match": { "Path": "/slow/{**rest}" }, "Timeout": "00:00:00.200" } """,
        });
        using var meters = new MeterRecorder(gateway);
        gateway.HoldAll();

        (await gateway.GetAsync(null, "/slow/1")).ShouldBeProblem(504, "upstream-timeout");
        meters.Of("fencegateway.circuit.attempts").Single().Tags["fencegateway.verdict"].ShouldBe("failed");
    }

    [Theory]
    [InlineData("/orders/1", true)]
    [InlineData("/orders/1", false)]
    [InlineData("/open/1", true)]
    [InlineData("/open/1", false)]
    public async Task ClientLeavesInItsBody_TheCircuitIsNotTold(string path, bool reset)
    {
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "Timeouts": { "Total": "00:10:00" }, "CircuitBreaker": { } """));
        using var meters = new MeterRecorder(gateway);
        gateway.HoldAll();
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendAsync(RawHttpClient.Head(
            $"PUT {path} HTTP/1.1",
            "Host: test", "Fencing-Token: 33", $"{JournalService.RequestIdHeader}: a", "Content-Length: 10") + "x");
        await gateway.Service.NextArrivalAsync();

        if (reset)
        {
            client.Abort();
        }
        else
        {
            await client.DisposeAsync();
        }

        await gateway.WaitForStatusAsync("a");
        meters.Of("fencegateway.circuit.attempts").Single().Tags["fencegateway.verdict"].ShouldBe("neutral");
    }

    /// <summary>The client, or the service, may see the end before the fence is told.</summary>
    private static Task ShouldBeInDoubtAsync(FencedGateway gateway, long token) =>
        Eventually.IsSoAsync(
            async () => (await InDoubtAsync(gateway)).SequenceEqual([token]), $"{token} to be in doubt");

    private static async Task<long[]> InDoubtAsync(FencedGateway gateway) =>
    [
        .. (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Json
            .GetProperty("inDoubt").EnumerateArray().Select(write => write.GetProperty("token").GetInt64()),
    ];
}
