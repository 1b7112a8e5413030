using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Crash;

/// <summary>SIGKILL, judged from outside: by what arrived at the service and what clients were told.</summary>
public sealed class KillTests(ITestOutputHelper output)
{
    private const int Worlds = 2;
    private const int KillsPerWorld = 10;

    [Fact]
    public async Task Kill_RandomMomentsUnderLoad_NothingIsForgotten()
    {
        var seed = new RandomSeed();
        await seed.RunAsync(async random =>
        {
            // Two at a time: most of a round is the start of a process.
            var worlds = Enumerable.Range(0, Worlds).Select(_ => RunWorldAsync(new Random(random.Next()))).ToList();
            await Task.WhenAll(worlds);
        });
    }

    [Fact]
    public async Task Kill_StoreThatForgets_IsCaughtByTheChecker()
    {
        await using var service = await JournalService.StartAsync();
        using var client = new RecordingClient(service.Clock);
        using var files = new GatewayFiles(
            service.Address, json => json["FenceGateway"]!["TokenStore"] = new JsonObject { ["Provider"] = "Memory" });
        var options = new GatewayProcessOptions { ConfigFile = files.ConfigFile };
        await using (var gateway = await GatewayProcess.StartAsync(options))
        {
            (await client.SendAsync(gateway.Address, HttpMethod.Put, "/orders/1", 34)).Status.ShouldBe(200);
            await gateway.KillAsync();
        }

        await using var restarted = await GatewayProcess.StartAsync(options);
        (await client.SendAsync(restarted.Address, HttpMethod.Put, "/orders/1", 33)).Status.ShouldBe(200);

        HistoryChecker.Check(service.Writes, client.Answers).Select(v => v.Rule).ShouldBe(
            ["I1", "I2"], ignoreOrder: true);
    }

    [Fact]
    public async Task Kill_WriteStillAtTheService_NewTokenWaitsUntilItCannotBeApplied()
    {
        await using var service = await JournalService.StartAsync();
        using var client = new RecordingClient(service.Clock);
        using var files = new GatewayFiles(service.Address, json =>
        {
            var policy = GatewayFiles.PolicyOf(json);
            policy["DrainTimeout"] = "00:00:00.2";
            policy["InDoubtHold"] = "00:00:05";
        });
        var options = new GatewayProcessOptions { ConfigFile = files.ConfigFile };
        service.Script = _ => ServiceAction.Hold;
        ServiceArrival late;
        await using (var gateway = await GatewayProcess.StartAsync(options))
        {
            var unanswered = client.SendAsync(gateway.Address, HttpMethod.Put, "/orders/1", 33);
            late = await service.NextArrivalAsync();
            await gateway.KillAsync();
            (await unanswered).Status.ShouldBeNull();
        }

        service.Script = _ => ServiceAction.Apply();
        await using var restarted = await GatewayProcess.StartAsync(options);
        (await client.SendAsync(restarted.Address, HttpMethod.Put, "/orders/1", 34)).Problem.ShouldBe("fence-draining");
        (await client.SendAsync(restarted.Address, HttpMethod.Put, "/orders/1", 33)).Problem.ShouldBe(
            "fencing-token-stale");
        late.Release();
        await late.WaitForEndAsync();

        GatewayAnswer answer;
        do
        {
            answer = await client.SendAsync(restarted.Address, HttpMethod.Put, "/orders/1", 34);
        }
        while (answer.Problem == "fence-draining");

        answer.Status.ShouldBe(200);
        HistoryChecker.Check(service.Writes, client.Answers).ShouldBeEmpty();
    }

    private async Task RunWorldAsync(Random random)
    {
        await using var world = await CrashWorld.StartAsync();
        await world.RunAsync(random, KillsPerWorld);

        var applied = world.Writes.Where(w => w.AppliedAt is not null).ToList();
        var stale = world.Answers.Count(a => a.Problem == "fencing-token-stale");
        var unanswered = world.Answers.Count(a => a.Status is null);
        output.WriteLine($"{world.Kills} kills while serving, {world.KillsAtStart} at the start: {applied.Count} "
            + $"writes applied with {applied.Select(w => (w.Resource, w.Token)).Distinct().Count()} tokens, {stale} "
            + $"stale, {unanswered} without an answer");
        HistoryChecker.Check(world.Writes, world.Answers).ShouldBeEmpty();

        // A history in which nothing happened proves nothing.
        applied.Count.ShouldBeGreaterThan(world.Kills);
        applied.Select(w => w.Token).Max().ShouldBeGreaterThan(3);
        stale.ShouldBeGreaterThan(world.Kills);
        unanswered.ShouldBeGreaterThan(world.Kills);
    }
}
