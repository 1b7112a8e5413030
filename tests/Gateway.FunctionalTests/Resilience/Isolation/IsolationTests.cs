using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Isolation;

/// <summary>
/// What fails or is flooded keeps only its own places: everything else goes on at once, while the clock stands still.
/// What that costs in time is measured by load/isolation.sh.
/// </summary>
public sealed class IsolationTests
{
    private static readonly TimeSpan FirstByte = TimeSpan.FromSeconds(5);

    [Fact]
    public async Task ClusterHangs_FloodedFarBeyondItsPlaces_AnotherClusterAnswersAll()
    {
        await using var hanging = new FaultyService { Script = _ => Fault.NeverAnswers };
        await using var gateway = await FencedGateway.StartAsync(TwoClusters(hanging.Address));
        using var meter = new MeterRecorder(gateway);

        var flood = Enumerable.Range(0, 60).Select(i => gateway.GetAsync(null, $"/hanging/{i}")).ToList();
        await ArriveAsync(hanging, 4);
        var turnedAway = await FirstAsync(flood, 54);
        turnedAway.ForEach(a => a.ShouldBeProblem(503, "bulkhead-full"));
        meter.Observe("fencegateway.bulkhead.in_use").ShouldBe(4);
        meter.Observe("fencegateway.bulkhead.waiting").ShouldBe(2);

        foreach (var i in Enumerable.Range(0, 100))
        {
            (await gateway.PutAsync(1, $"/orders/{i}")).ShouldBeServices(200);
        }

        await GiveUpAsync(gateway, hanging, atOnce: 2);
        await GiveUpAsync(gateway, hanging, atOnce: 0);
        var timedOut = (await Task.WhenAll(flood)).Except(turnedAway).ToList();
        timedOut.Count.ShouldBe(6);
        timedOut.ForEach(a => a.ShouldBeProblem(504, "upstream-timeout"));
        hanging.Entries.Count.ShouldBe(6);
        meter.Observe("fencegateway.bulkhead.in_use").ShouldBe(0);
        meter.Observe("fencegateway.bulkhead.waiting").ShouldBe(0);
    }

    [Fact]
    public async Task ResourceFlooded_FarBeyondItsPlaces_OthersOfTheRouteAnswerAll()
    {
        await using var service =
            new FaultyService { Script = e => e.Resource == "/orders/hot" ? Fault.NeverAnswers : Fault.None };
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "Bulkhead": { "PermitLimit": 8, "QueueLimit": 8, "PerResource": { "PermitLimit": 2, "QueueLimit": 1 } } """),
            _ => service.Address);

        var flood = Enumerable.Range(0, 50).Select(_ => gateway.PutAsync(7, "/orders/hot")).ToList();
        await ArriveAsync(service, 2);
        (await FirstAsync(flood, 47)).ForEach(a => a.ShouldBeProblem(503, "bulkhead-full"));

        foreach (var i in Enumerable.Range(0, 100))
        {
            (await gateway.PutAsync(7, $"/orders/{i}")).ShouldBeServices(200);
        }

        service.Entries.Count(e => e.Resource == "/orders/hot").ShouldBe(2);
    }

    [Fact]
    public async Task StaleStorm_HolderHasTheOnlyPlace_EveryStaleRequestIsRefusedAtOnceAndNoneArrives()
    {
        await using var service = new FaultyService();
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "Bulkhead": { "PermitLimit": 1, "QueueLimit": 0 } """), _ => service.Address);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        service.Script = _ => Fault.SlowFirstByte;
        var holding = gateway.PutAsync(34);
        _ = await service.NextArrivalAsync();
        var held = await service.NextArrivalAsync();

        var storm = await Task.WhenAll(Enumerable.Range(0, 90).Select(_ => gateway.PutAsync(33)));

        storm.ShouldAllBe(a => a.Problem == "fencing-token-stale");
        held.Release();
        (await holding).ShouldBeServices(200);
        service.Entries.ShouldAllBe(e => e.Token == 34);
    }

    private static GatewaySetup TwoClusters(Uri hanging) => new()
    {
        Routes = """
            "hanging": { "ClusterId": "hanging", "Match": { "Path": "/hanging/{id}" }, "Metadata": { "ResiliencePolicy": "bounded" } }
            """,
        Clusters = $$""" "hanging": { "Destinations": { "a": { "Address": "{{hanging}}" } } } """,
        Gateway = $$"""
            "ResiliencePolicies": { "bounded": {
              "Bulkhead": { "PermitLimit": 4, "QueueLimit": 2, "QueueTimeout": "00:05:00" }, "Timeouts": { "FirstByte": "{{FirstByte}}" } } }
            """,
    };

    private static async Task ArriveAsync(FaultyService service, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await (await service.NextArrivalAsync()).WaitForBodyAsync();
        }
    }

    /// <summary>The next time-out of what is at the service; then those that waited are there.</summary>
    private static async Task GiveUpAsync(FencedGateway gateway, FaultyService service, int atOnce)
    {
        gateway.Clock.Advance(FirstByte);
        await ArriveAsync(service, atOnce);
    }

    private static async Task<List<Answer>> FirstAsync(List<Task<Answer>> answering, int count)
    {
        List<Answer> answers = [];
        await foreach (var answer in Task.WhenEach(answering).WithCancellation(CancellationToken.None))
        {
            answers.Add(await answer);
            if (answers.Count == count)
            {
                break;
            }
        }

        return answers;
    }
}
