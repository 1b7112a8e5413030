using System.Net;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Stores;

/// <summary>
/// A gateway whose shared store is away: it says so, refuses what it cannot tell, and comes back by itself.
/// </summary>
public sealed class StoreAwayTests
{
    [RealTimeFact]
    public async Task Start_StoreAway_ListensSaysWhyAndRecoversWithoutARestart()
    {
        await using var world = await StoreWorld.StartAsync();
        await world.Redis.KillAsync();

        var gateway = world.LaunchGateway();

        var notReady = await world.WaitForReadinessAsync(HttpStatusCode.ServiceUnavailable, "Redis");
        notReady.Json.GetProperty("checks").GetProperty("started").GetString().ShouldNotBeNull();
        (await world.AdminAsync("/livez")).ShouldBeServices(200);
        var refused = await world.PutAsync(33);
        refused.ShouldBeProblem(503, "token-store-unavailable");
        refused.RetryAfter!.Value.ShouldBeInRange(1, 3);
        refused.Text.ShouldNotContain("Redis", Case.Insensitive, "what is behind the gateway is no client's business");
        await gateway.WaitForLineAsync(
            line => line.Contains("1004", StringComparison.Ordinal)
                && line.Contains("Redis", StringComparison.Ordinal));
        (await world.AdminAsync("/admin/v1/store")).Json.GetProperty("session").ValueKind.ShouldBe(
            System.Text.Json.JsonValueKind.Null);

        await world.Redis.RestartAsync();

        await world.WaitForReadinessAsync(HttpStatusCode.OK);
        (await world.PutAsync(33)).ShouldBeServices(200);
        gateway.HasExited.ShouldBeFalse();
    }

    [RealTimeFact]
    public async Task Store_GoesAway_StaleIsStill409AndNothingIsAdmitted()
    {
        await using var world = await StoreWorld.StartAsync();
        await world.StartGatewayAsync();
        (await world.PutAsync(34)).ShouldBeServices(200);
        await world.Redis.KillAsync();
        await world.WaitForSessionEndAsync();

        (await world.AdminAsync("/readyz")).Status.ShouldBe(503);
        (await world.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        (await world.PutAsync(34)).ShouldBeProblem(503, "token-store-unavailable");
        (await world.PutAsync(1, "/orders/2")).ShouldBeProblem(503, "token-store-unavailable");

        await world.Redis.RestartAsync();
        await world.WaitForReadinessAsync(HttpStatusCode.OK);
        (await world.PutAsync(34)).ShouldBeServices(200);
        (await world.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
    }

    [RealTimeFact]
    public async Task StoreUnavailableAllow_StoreAway_ForwardsUnfencedLoudlyAndStaleIsStill409()
    {
        await using var world = await StoreWorld.StartAsync(policy: policy => policy["StoreUnavailable"] = "Allow");
        await world.StartGatewayAsync();
        (await world.PutAsync(34)).ShouldBeServices(200);
        await world.Redis.KillAsync();
        await world.WaitForSessionEndAsync();

        (await world.PutAsync(34)).ShouldBeServices(200);
        (await world.PutAsync(35)).ShouldBeServices(200);
        (await world.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");

        world.Service.Entries.Select(e => e.Token).ShouldBe([34, 34, 35]);
        await world.Gateway.WaitForLineAsync(line => line.Contains("\"fencing_token_stale\"", StringComparison.Ordinal)
            || line.Contains("\"outcome\":\"stale\"", StringComparison.Ordinal));
        world.CountEvents(1680).ShouldBe(1);
        world.Gateway.Log.Count(l => l.TryGetProperty("outcome", out var o) && o.GetString() == "store_bypassed")
            .ShouldBe(2);
    }

    [RealTimeFact]
    public async Task Session_EndsDuringAWrite_TheWriteIsCutOffAndInDoubt()
    {
        await using var world = await StoreWorld.StartAsync(policy: policy => policy["DrainTimeout"] = "00:00:20");
        await world.StartGatewayAsync();
        world.Service.Script = e => e.Token == 33 ? ServiceAction.Hold : ServiceAction.Apply();
        var answering = world.PutAsync(33);
        var arrival = await world.Service.NextArrivalAsync();

        world.Redis.Pause();

        var cut = await answering.WithinLimit("the write to be cut off");
        cut.ShouldBeProblem(502, "upstream-unreachable");
        cut.Text.ShouldContain("lost its session in the token store");
        cut.Text.ShouldContain("may have been applied");
        await arrival.WaitForClientGoneAsync();
        (await world.WaitForReadinessAsync(HttpStatusCode.ServiceUnavailable)).Text.ShouldContain("tokenStore");

        world.Redis.Continue();
        await world.WaitForReadinessAsync(HttpStatusCode.OK);
        (await world.PutAsync(34)).ShouldBeServices(200);
        world.CountEvents(1002).ShouldBe(1);
    }

    [RealTimeFact]
    public async Task RouteTimeout_ReadWaitsForTheStore_SaysThatTheStoreCannotTell()
    {
        await using var world = await StoreWorld.StartAsync(
            policy: policy => policy.Root["ReverseProxy"]!["Routes"]!["orders"]!["Timeout"] = "00:00:00.2");
        await world.StartGatewayAsync();
        world.Redis.Pause();

        (await world.GetAsync(33)).ShouldBeProblem(503, "token-store-unavailable");

        world.Redis.Continue();
    }

    [RealTimeFact]
    public async Task ModeReport_SessionEndsDuringAWrite_TheWriteGoesOn()
    {
        await using var world = await StoreWorld.StartAsync(policy: policy => policy["Mode"] = "Report");
        await world.StartGatewayAsync();
        world.Service.Script = _ => ServiceAction.Hold;
        var answering = world.PutAsync(33);
        var arrival = await world.Service.NextArrivalAsync();

        world.Redis.Pause();
        await world.WaitForSessionEndAsync();
        arrival.Release(201);

        (await answering).ShouldBeServices(201);
        world.Redis.Continue();
    }

    [RealTimeFact]
    public async Task PasswordFile_WithSeparatorsInThePassword_SignsInAndIsNowhereShown()
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder.File("password"), "one,s3cret\n");
        await using var world = await StoreWorld.StartAsync(
            new RedisServerOptions
            { Users = ["user default off ~* &* +@all", "user fence on >one,s3cret ~* &* +@all"] },
            store =>
            {
                store["Redis"]!["User"] = "fence";
                store["Redis"]!["PasswordFile"] = folder.File("password");
            });
        await world.StartGatewayAsync();

        (await world.PutAsync(1)).ShouldBeServices(200);

        var config = (await world.AdminAsync("/admin/v1/config")).Text;
        config.ShouldContain(folder.File("password"));
        string.Concat(
            config, (await world.AdminAsync("/readyz")).Text, (await world.AdminAsync("/admin/v1/store")).Text,
                string.Join('\n', world.Gateway.Output), string.Join('\n', world.Gateway.Errors))
            .ShouldNotContain("s3cret");
    }

    [RealTimeFact]
    public async Task Password_Wrong_IsNowhereInWhatTheGatewaySays()
    {
        await using var world = await StoreWorld.StartAsync(
            new RedisServerOptions { Password = "right" },
            store => store["Redis"]!["Configuration"] = store["Redis"]!["Configuration"]!.ToString().Replace(
                "right", "s3cret", StringComparison.Ordinal));
        world.LaunchGateway();

        await world.WaitForReadinessAsync(HttpStatusCode.ServiceUnavailable, "password");

        string.Concat((await world.AdminAsync("/readyz")).Text, (await world.AdminAsync("/admin/v1/config")).Text,
                (await world.AdminAsync("/admin/v1/store")).Text, (await world.PutAsync(1)).Text,
                string.Join('\n', world.Gateway.Output), string.Join('\n', world.Gateway.Errors))
            .ShouldNotContain("s3cret");
    }
}
