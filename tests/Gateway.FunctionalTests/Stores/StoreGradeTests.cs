using System.Net;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Stores;

/// <summary>What the store promises: told, shown, and enforced with RequireGrade.</summary>
public sealed class StoreGradeTests
{
    [RealTimeFact]
    public async Task RequireGrade_StoreIsWeaker_ExitsAndSaysWhyAndWhatToChange()
    {
        await using var world = await StoreWorld.StartAsync(
            new RedisServerOptions { AppendFsync = "everysec" }, store => store["RequireGrade"] = "Single");
        var gateway = world.LaunchGateway();

        (await gateway.WaitForExitAsync()).ShouldBe(1);

        var error = string.Join('\n', gateway.Errors);
        error.ShouldContain("RequireGrade is Single");
        error.ShouldContain("BestEffort");
        error.ShouldContain("appendfsync");
        error.ShouldNotContain("   at ");
    }

    [RealTimeFact]
    public async Task RequireGrade_StoreComesBackWeaker_FailsClosedUntilItIsAsItWas()
    {
        await using var world = await StoreWorld.StartAsync(store: store => store["RequireGrade"] = "Single");
        await world.StartGatewayAsync();
        (await world.PutAsync(33)).ShouldBeServices(200);
        await world.Redis.CommandAsync("CONFIG", "SET", "appendfsync", "everysec");
        world.Redis.Pause();
        await world.WaitForReadinessAsync(HttpStatusCode.ServiceUnavailable);
        world.Redis.Continue();

        await world.WaitForReadinessAsync(HttpStatusCode.ServiceUnavailable, "RequireGrade is Single");
        (await world.PutAsync(33)).ShouldBeProblem(503, "token-store-unavailable");
        (await world.AdminAsync("/admin/v1/store")).Json.GetProperty("grade").GetString().ShouldBe("BestEffort");

        await world.Redis.CommandAsync("CONFIG", "SET", "appendfsync", "always");
        await world.WaitForReadinessAsync(HttpStatusCode.OK);
        (await world.PutAsync(33)).ShouldBeServices(200);
    }

    [RealTimeFact]
    public async Task Grade_OfTheStore_IsLoggedAndShownWithItsReasons()
    {
        await using var world = await StoreWorld.StartAsync(new RedisServerOptions { AppendFsync = "everysec" });
        await world.StartGatewayAsync();
        (await world.PutAsync(33)).ShouldBeServices(200);

        var store = (await world.AdminAsync("/admin/v1/store")).Json;
        store.GetProperty("provider").GetString().ShouldBe("Redis");
        store.GetProperty("location").GetString()!.ShouldContain($"{world.Redis.Port}");
        store.GetProperty("grade").GetString().ShouldBe("BestEffort");
        store.GetProperty("gradeReasons").EnumerateArray().ShouldContain(
            r => r.GetString()!.Contains("appendfsync", StringComparison.Ordinal));
        store.GetProperty("fault").GetString().ShouldBeNull();
        store.GetProperty("session").GetProperty("alive").GetBoolean().ShouldBeTrue();
        TimeSpan.Parse(
            store.GetProperty("session").GetProperty("remaining").GetString()!,
            System.Globalization.CultureInfo.InvariantCulture)
            .ShouldBeLessThan(StoreWorld.SessionTtl);
        store.GetProperty("calls").GetInt64().ShouldBeGreaterThan(0);
        store.GetProperty("registrations").GetInt32().ShouldBe(1);
        var version = (await world.AdminAsync("/admin/v1/version")).Json.GetProperty("tokenStore");
        version.GetProperty("grade").GetString().ShouldBe("BestEffort");
        version.GetProperty("gradeReasons").GetArrayLength().ShouldBeGreaterThan(0);
        (world.CountEvents(2310), world.CountEvents(2314) > 0).ShouldBe((1, true));
    }
}
