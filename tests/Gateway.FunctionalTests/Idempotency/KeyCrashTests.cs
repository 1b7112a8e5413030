using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Idempotency;

/// <summary>SIGKILL, judged from outside: no key arrives at the service twice, and no answer changes.</summary>
public sealed class KeyCrashTests(ITestOutputHelper output)
{
    private const int Kills = 12;

    [Fact]
    public async Task Kill_RandomMomentsUnderLoad_NoRequestIsAppliedTwiceAndNoAnswerChanges()
    {
        var seed = new RandomSeed();
        await seed.RunAsync(async random =>
        {
            await using var world = await KeyCrashWorld.StartAsync();
            await world.RunAsync(random, Kills);

            var ends = world.Ends;
            var answered = ends.Where(e => e.Answer.Status == 201).ToList();
            var replayed = answered.Count(e => e.Answer.Headers.ContainsKey("Idempotency-Replayed"));
            var unknown = ends.Count(e => e.Answer.Problem == "idempotency-outcome-unknown");
            output.WriteLine($"{Kills} kills, {world.Arrivals.Count} keys at the service; {answered.Count} answers, "
                + $"{replayed} of them replayed, {unknown} unknown");
            world.Arrivals.Where(a => a.Value > 1).ShouldBeEmpty("a key must not arrive twice");
            answered.GroupBy(e => e.Key).Where(g => g.Select(e => e.Answer.Text).Distinct().Count() > 1)
                .ShouldBeEmpty("every repeat gets the first answer");
            answered.Where(e => !world.Arrivals.ContainsKey(e.Key)).ShouldBeEmpty("what was answered was applied");
            ends.ShouldAllBe(e => e.Answer.Status == 201 || e.Answer.Problem == "idempotency-outcome-unknown");

            // A history in which nothing happened proves nothing.
            answered.Count.ShouldBeGreaterThan(Kills);
            replayed.ShouldBeGreaterThan(0);
            unknown.ShouldBeGreaterThan(0);
        });
    }

    [Fact]
    public async Task Kill_BeforeTheServiceAnswers_RepeatIsUnknownAndNotSent()
    {
        await using var world = await KeyCrashWorld.StartAsync();
        await using (var gateway = await GatewayProcess.StartAsync(world.Options))
        {
            var unanswered = world.TrySendAsync(1, "k");
            var arrival = await world.Service.NextArrivalAsync();
            await gateway.KillAsync();
            (await unanswered).ShouldBeNull();
            arrival.Release();
        }

        await using var restarted = await GatewayProcess.StartAsync(world.Options);

        (await world.SettleAsync(1, "k")).Answer.ShouldBeProblem(409, "idempotency-outcome-unknown");
        world.Arrivals["k"].ShouldBe(1);
    }

    [Fact]
    public async Task Kill_AfterTheAnswer_EveryHoldersRepeatGetsItAfterwards()
    {
        await using var world = await KeyCrashWorld.StartAsync();
        world.Service.Script = e => ServiceAction.Apply(201, $"for {e.Token}");
        Answer first;
        await using (var gateway = await GatewayProcess.StartAsync(world.Options))
        {
            first = (await world.TrySendAsync(1, "k")).ShouldNotBeNull();
            (await world.TrySendAsync(1, "newer", token: 2)).ShouldNotBeNull().ShouldBeServices(201);
            await gateway.KillAsync();
        }

        await using var restarted = await GatewayProcess.StartAsync(world.Options);

        (await world.TrySendAsync(1, "k")).ShouldNotBeNull().ShouldBeReplay(first);
        (await world.TrySendAsync(1, "k", token: 3)).ShouldNotBeNull().ShouldBeReplay(first);
        (await world.TrySendAsync(1, "new")).ShouldNotBeNull().ShouldBeProblem(409, "fencing-token-stale");
        world.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Start_FolderInUse_ExitsAndNamesTheSetting()
    {
        await using var world = await KeyCrashWorld.StartAsync();
        await using var first = await GatewayProcess.StartAsync(world.Options);
        using var tokens = new TempFolder();

        await using var second = GatewayProcess.Launch(new GatewayProcessOptions
        {
            ConfigFile = world.Options.ConfigFile,
            Arguments = [$"--FenceGateway:TokenStore:Embedded:Path={tokens.File("tokens")}"],
        });

        (await second.WaitForExitAsync()).ShouldBe(1);
        var error = string.Join('\n', second.Errors);
        error.ShouldContain($"in use by process {first.Id}:");
        error.ShouldContain("(Idempotency:Path)");
        error.ShouldNotContain("   at ");
    }
}
