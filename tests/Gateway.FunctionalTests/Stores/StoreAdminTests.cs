using FenceGateway.TestKit;
namespace FenceGateway.Gateway.FunctionalTests.Stores;

/// <summary>What the admin listener of one gateway knows of the others.</summary>
public sealed class StoreAdminTests
{
    private const string Resource = "/admin/v1/resources/orders/1";

    [RealTimeFact]
    public async Task Resource_WrittenThroughAnotherGateway_ShowsItsSessionAndWhenItEnded()
    {
        await using var world = await StoreWorld.StartAsync(policy: policy => policy["InDoubtHold"] = "00:01:00");
        await world.StartGatewayAsync();
        await world.StartGatewayAsync();
        (await world.PutAsync(33, gateway: 1)).ShouldBeServices(200);
        var other = (await world.AdminAsync("/admin/v1/store", gateway: 1)).Json.GetProperty("session")
            .GetProperty("id").GetString();

        var writer = (await world.AdminAsync(Resource)).Json.GetProperty("writers").EnumerateArray()
            .ShouldHaveSingleItem();
        writer.GetProperty("session").GetString().ShouldBe(other);
        writer.GetProperty("token").GetInt64().ShouldBe(33);
        writer.GetProperty("own").GetBoolean().ShouldBeFalse();
        writer.GetProperty("endedAt").GetString().ShouldBeNull();
        (await world.AdminAsync(Resource, gateway: 1)).Json.GetProperty("writers")[0].GetProperty("own").GetBoolean()
            .ShouldBeTrue();

        await world.KillAsync(gateway: 1);
        var ended = await world.WaitForAsync(
            Resource, json => json.GetProperty("writers")[0].GetProperty("endedAt").GetString() is not null);
        ended.GetProperty("inDoubt")[0].GetProperty("cause").GetString().ShouldBe("session_ended");
        ended.GetProperty("inDoubt")[0].GetProperty("token").GetInt64().ShouldBe(33);
        (await world.PutAsync(34)).ShouldBeProblem(503, "fence-draining");

        (await world.ChangeAsync($"{Resource}/mark", """{ "mark": 1, "reason": "test" }""")).Status.ShouldBe(409);
        var resolved = await world.ChangeAsync($"{Resource}/resolve", """{ "reason": "its machine is off" }""");
        resolved.ShouldBeServices(200);
        resolved.Json.GetProperty("resolved").GetProperty("inStore").GetInt32().ShouldBe(1);
        (await world.PutAsync(34)).ShouldBeServices(200);
    }

    /// <summary>Nothing is in flight anywhere; only the other gateway's registration stands for a while.</summary>
    [RealTimeFact]
    public async Task Mark_AnotherGatewayIsRegisteredAndIdle_IsSetOnceThatHasGone()
    {
        await using var world = await StoreWorld.StartAsync(store: store => store["RegistrationIdle"] = "00:00:02");
        await world.StartGatewayAsync();
        await world.StartGatewayAsync();
        (await world.PutAsync(900, gateway: 1)).ShouldBeServices(200);

        (await world.ChangeAsync($"{Resource}/mark", """{ "mark": 6, "reason": "a wrong token" }""")).ShouldBeServices(200);

        (await world.PutAsync(7, gateway: 1)).ShouldBeServices(200);
    }

    [RealTimeFact]
    public async Task Resolve_InDoubtAtAnotherGateway_NamesThatOne()
    {
        await using var world = await StoreWorld.StartAsync(
            policy: policy => (policy["InDoubtHold"], policy["WriteTimeout"]) = ("00:01:00", "00:00:01"),
            gateway: json => json["InstanceName"] = "Gate-7.example");
        await world.StartGatewayAsync();
        await world.StartGatewayAsync();
        world.Service.Script = _ => ServiceAction.Hold;
        (await world.PutAsync(33, gateway: 1)).Status.ShouldBe(504);

        var refused = await world.ChangeAsync($"{Resource}/resolve", """{ "reason": "its machine is off" }""");

        refused.Status.ShouldBe(409);
        var session = (await world.AdminAsync("/admin/v1/store", gateway: 1)).Json.GetProperty("session")
            .GetProperty("id").GetString()!;
        session.ShouldStartWith("Gate-7.example-");
        refused.Json.GetProperty("detail").GetString().ShouldEndWith($"{session}.");
        (await world.AdminAsync(Resource)).Json.GetProperty("inDoubt").GetArrayLength().ShouldBe(0);
    }

    [RealTimeFact]
    public async Task Mark_LoweredAtOneGateway_HoldsAtTheOther()
    {
        await using var world = await StoreWorld.StartAsync(store: store => store["RegistrationIdle"] = "00:00:01");
        await world.StartGatewayAsync();
        await world.StartGatewayAsync();
        (await world.PutAsync(900)).ShouldBeServices(200);
        (await world.PutAsync(7, gateway: 1)).ShouldBeProblem(409, "fencing-token-stale");
        await world.WaitForAsync(Resource, json => json.GetProperty("writers").GetArrayLength() == 0);

        (await world.ChangeAsync($"{Resource}/mark", """{ "mark": 6, "reason": "a wrong token" }""")).ShouldBeServices(200);

        (await world.AdminAsync(Resource, gateway: 1)).Json.GetProperty("mark").GetInt64().ShouldBe(6);
        (await world.PutAsync(7)).ShouldBeServices(200);
    }
}
