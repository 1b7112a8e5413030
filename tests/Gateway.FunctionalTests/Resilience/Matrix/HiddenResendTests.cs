using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

/// <summary>
/// HttpClient sends a request without content again by itself when a reused connection ends, up to three times. Where
/// retries have a budget, every send is one of theirs.
/// </summary>
public sealed class HiddenResendTests
{
    private static readonly Mechanism Retry = Mechanism.All.Single(m => m.Name == "retry-put");

    [Theory]
    [InlineData("GET", "/orders/1")]
    [InlineData("HEAD", "/orders/1")]
    [InlineData("PUT", "/orders/1")]
    [InlineData("DELETE", "/orders/1")]
    public async Task Bodyless_ServiceClosesReusedConnections_IsSentAsOftenAsRetriesAllow(string method, string path)
    {
        await using var service = new FaultyService { Script = _ => Fault.SlowFirstByte };
        // Nothing is fenced here: a write in flight never is sent by HttpClient twice in any case.
        await using var gateway = await FencedGateway.StartAsync(
            Retry.Setup with { Policy = """ "Mode": "Off" """ }, _ => service.Address);
        using var meter = new MeterRecorder(gateway);
        await WarmAsync(gateway, service, connections: 6);
        service.Script = _ => Fault.ClosedAfterRequest;

        var answering = RawHttpClient.ExchangeAsync(gateway.Address.Port, RawHttpClient.Head(
            $"{method} {path} HTTP/1.1", "Host: x", "Fencing-Token: 33", $"{JournalService.RequestIdHeader}: a"));
        while (await Task.WhenAny(
                answering, gateway.Clock.WaitForTimerWithinAsync(Mechanism.LongestRetryDelay)) != answering)
        {
            gateway.Clock.Advance(gateway.Clock.NextTimer!.Value);
        }

        (await answering).Status.ShouldBe(502);
        service.Entries.Count(e => e.RequestId == "a").ShouldBe(2);
        meter.Of("fencegateway.retries").Count.ShouldBe(1);
    }

    private static async Task WarmAsync(FencedGateway gateway, FaultyService service, int connections)
    {
        List<Task> answering = [];
        List<FaultyExchange> open = [];
        for (var i = 0; i < connections; i++)
        {
            answering.Add(gateway.GetAsync(null, "/open/warm"));
            open.Add(await service.NextArrivalAsync());
        }

        open.ForEach(e => e.Release());
        await Task.WhenAll(answering);
    }
}
