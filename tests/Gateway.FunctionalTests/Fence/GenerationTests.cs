using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>A request ends under the configuration in which it began; a reload never mixes two (R20).</summary>
public sealed class GenerationTests
{
    private const int Reloads = 100;
    private const int Writers = 4;

    [Fact]
    public async Task Reload_MovesTheRouteFromAPolicyThatItSwitchesOff_NoStaleWritePasses()
    {
        await using var gateway = await FencedGateway.StartAsync(FencedBy("left", off: "right"));
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        using var stop = new CancellationTokenSource();
        using var answered = new SemaphoreSlim(0);
        var writing = Enumerable.Range(0, Writers)
            .Select(_ => Task.Run(() => WriteStaleAsync(gateway.Address.Port, answered, stop.Token))).ToArray();

        for (var i = 1; i <= Reloads; i++)
        {
            var outcome = await gateway.ReloadAsync(
                i % 2 == 0 ? FencedBy("left", off: "right") : FencedBy("right", off: "left"));
            outcome.Problems.ShouldBeEmpty();
            (await answered.WaitAsync(TimeLimit.Default)).ShouldBeTrue();
        }

        await stop.CancelAsync();
        foreach (var statuses in await Task.WhenAll(writing))
        {
            statuses.ShouldAllBe(status => status == 409);
        }

        gateway.Service.Entries.ShouldAllBe(entry => entry.Token == 34);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    [Fact]
    public async Task Reload_WhileABodyIsAwaited_TheRequestIsFencedByThePolicyItBeganWith()
    {
        await using var gateway = await FencedGateway.StartAsync(FencedBy("left", off: "right"));
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        await using var client = await BeginAsync(gateway, 33);

        (await gateway.ReloadAsync(FencedBy("right", off: "left"))).Problems.ShouldBeEmpty();
        await client.SendAsync("x");

        (await client.ReadResponseAsync()).Status.ShouldBe(409);
        gateway.Service.Entries.ShouldAllBe(entry => entry.Token == 34);
    }

    [Fact]
    public async Task Reload_WhileABodyIsAwaited_TheRequestGoesToTheServiceItBeganWith()
    {
        await using var other = await JournalService.StartAsync();
        await using var gateway = await FencedGateway.StartAsync(FencedBy("left", off: "right"));
        await using var client = await BeginAsync(gateway, 33);

        var moved = FencedBy("left", off: "right") with
        {
            Cluster = $$""" "Destinations": { "a": { "Address": "{{other.Address}}" } } """,
        };
        (await gateway.ReloadAsync(moved)).Problems.ShouldBeEmpty();
        await client.SendAsync("x");

        (await client.ReadResponseAsync()).Status.ShouldBe(200);
        gateway.Service.Entries.ShouldHaveSingleItem().Token.ShouldBe(33);
        other.Entries.ShouldBeEmpty();
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        other.Entries.ShouldHaveSingleItem().Token.ShouldBe(34);
    }

    [Fact]
    public async Task Reload_TakesAPolicyAway_ItsRouteIsUnfencedAndTheRequestInProgressIsNot()
    {
        await using var gateway = await FencedGateway.StartAsync(FencedBy("left", off: "right"));
        (await gateway.PutAsync(34)).ShouldBeServices(200);
        await using var client = await BeginAsync(gateway, 33);

        var none = FencedBy("left", off: "right") with { Route = """ "Metadata": { "ResiliencePolicy": "keys" } """ };
        (await gateway.ReloadAsync(none)).Problems.ShouldBeEmpty();
        await client.SendAsync("x");

        (await client.ReadResponseAsync()).Status.ShouldBe(409);
        (await gateway.PutAsync(33)).ShouldBeServices(200);
    }

    /// <summary>A write that is read whole before the fence looks at it, without the byte that its body has.</summary>
    private static async Task<RawHttpClient> BeginAsync(FencedGateway gateway, long token)
    {
        var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);

        // The answer 100 says that the gateway has begun to read: the route is chosen.
        await client.SendHeadAsync(
            "PUT /orders/1 HTTP/1.1", "Host: test", $"Fencing-Token: {token}", "Idempotency-Key: k",
            "Expect: 100-continue", "Content-Length: 1");
        await client.ReadUntilAsync("100 Continue\r\n\r\n");
        return client;
    }

    private static async Task<List<int>> WriteStaleAsync(int port, SemaphoreSlim answered, CancellationToken stop)
    {
        var statuses = new List<int>();
        await using var client = await RawHttpClient.ConnectAsync(port);
        while (!stop.IsCancellationRequested)
        {
            await client.SendAsync(
                RawHttpClient.Head("PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: 1")
                    + "x");
            statuses.Add((await client.ReadResponseAsync()).Status);
            answered.Release();
        }

        return statuses;
    }

    private static GatewaySetup FencedBy(string policy, string off) => new()
    {
        Route = $$""" "Metadata": { "FencingPolicy": "{{policy}}", "ResiliencePolicy": "keys" } """,
        Gateway = $$"""
            "FencingPolicies": {
              "{{policy}}": { "Resource": "orders/{id}" },
              "{{off}}": { "Resource": "orders/{id}", "Mode": "Off" }
            },
            "ResiliencePolicies": { "keys": { "Idempotency": {} } }
            """,
    };
}
