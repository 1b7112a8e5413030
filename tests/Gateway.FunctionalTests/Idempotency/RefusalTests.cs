using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Idempotency;

/// <summary>What is refused because of its key, and what is not remembered.</summary>
public sealed class RefusalTests
{
    [Fact]
    public async Task Missing_Optional_IsForwarded()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        (await gateway.PostAsync(null)).ShouldBeServices(200);
        (await gateway.PostAsync(null)).ShouldBeServices(200);

        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PATCH")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("PURGE")]
    public async Task Missing_Required_400(string method)
    {
        await using var gateway = await KeyedGateway.StartAsync(""" "Mode": "Required" """);

        var answer = await gateway.SendAsync(new Keyed { Method = new HttpMethod(method) });

        answer.ShouldBeProblem(400, "idempotency-key-required");
        gateway.Service.Entries.ShouldBeEmpty();
        (await gateway.SendAsync(new Keyed { Method = new HttpMethod(method), Key = "k" })).ShouldBeServices(200);
    }

    [Theory]
    [InlineData("Idempotency-Key: ")]
    [InlineData("Idempotency-Key: a,b")]
    [InlineData("Idempotency-Key: \"a\", \"b\"")]
    [InlineData("Idempotency-Key: \"a")]
    [InlineData("Idempotency-Key: a b")]
    [InlineData("Idempotency-Key: a\r\nIdempotency-Key: a")]
    public async Task Malformed_400(string header)
    {
        await using var gateway = await KeyedGateway.StartAsync();

        var answer = await RawHttpClient.ExchangeAsync(
            gateway.Address.Port, $"POST /plain/1 HTTP/1.1\r\nHost: test\r\n{header}\r\nContent-Length: 0\r\n\r\n");

        answer.Status.ShouldBe(400);
        answer.Text.ShouldContain("idempotency-key-malformed");
        gateway.Service.Entries.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task BodyTooLong_413AndTheKeyIsFree(bool chunked)
    {
        await using var gateway = await KeyedGateway.StartAsync(""" "MaxRequestBody": 10 """);

        var refused = await gateway.SendAsync(new Keyed { Key = "k", Body = "12345678901", Chunked = chunked });

        refused.Status.ShouldBe(413);
        refused.Text.ShouldContain("10 bytes");
        gateway.Service.Entries.ShouldBeEmpty();
        (await gateway.SendAsync(new Keyed { Key = "k", Body = "1234567890", Chunked = chunked })).ShouldBeServices(
            200);
        (await gateway.SendAsync(new Keyed { Body = "12345678901", Chunked = chunked })).ShouldBeServices(200);
    }

    [Fact]
    public async Task BodyLongerThanTheRouteTakes_413()
    {
        var setup = KeyedGateway.Setup();
        await using var gateway = await FencedGateway.StartAsync(setup with { Route = setup.Route + """, "MaxRequestBodySize": 3 """ });

        (await gateway.PostFencedAsync(33, "k")).Status.ShouldBe(413);
        gateway.Service.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task BodyMalformed_400AndNothingIsSent()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendHeadAsync(
            "POST /plain/1 HTTP/1.1", "Host: test", "Idempotency-Key: k", "Transfer-Encoding: chunked");
        await client.SendAsync("zz\r\n");

        (await client.ReadResponseAsync()).Status.ShouldBe(400);
        gateway.Service.Entries.ShouldBeEmpty();
        (await gateway.PostAsync("k")).ShouldBeServices(200);
    }

    [Fact]
    public async Task Running_409UntilItIsAnswered()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.HoldAll();
        var first = gateway.PostAsync("k");
        var arrival = await gateway.Service.NextArrivalAsync();

        var repeat = await gateway.PostAsync("k");
        repeat.ShouldBeProblem(409, "idempotency-key-in-progress");
        repeat.RetryAfter.ShouldBe(1);
        (await gateway.PostAsync("k", "other")).ShouldBeProblem(422, "idempotency-key-reused");

        arrival.Release(201, "done");
        var answer = await first;
        (await gateway.PostAsync("k")).ShouldBeReplay(answer);
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task ManyAtOnce_ExactlyOneReachesTheService()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Service.Script = _ => ServiceAction.Apply(201, "done");

        var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => gateway.PostAsync("k")));

        gateway.Service.Entries.Count.ShouldBe(1);
        answers.ShouldAllBe(a => a.Status == 201 || a.Problem == "idempotency-key-in-progress");
        answers.Count(a => a.Status == 201 && !a.Headers.ContainsKey("Idempotency-Replayed")).ShouldBe(1);
    }

    [Fact]
    public async Task StoreFull_NewKeys503AndKnownOnesAreAnswered()
    {
        await using var gateway = await KeyedGateway.StartAsync(gateway: """, "Idempotency": { "MaxEntries": 1 } """);
        var first = await gateway.PostAsync("k");

        var refused = await gateway.PostAsync("new");

        refused.ShouldBeProblem(503, "idempotency-store-full");
        refused.RetryAfter.ShouldNotBeNull();
        (await gateway.PostAsync("k")).ShouldBeReplay(first);
        (await gateway.PostAsync(null)).ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Reload_TurnsItOn_KeysCountFromThenOn()
    {
        var on = KeyedGateway.Setup();
        await using var gateway = await FencedGateway.StartAsync(on with { Gateway = "", Route = "", Routes = "" });
        (await gateway.ReloadAsync(on)).Succeeded.ShouldBeTrue();

        var first = await gateway.PostAsync("k");

        (await gateway.PostAsync("k")).ShouldBeReplay(first);
    }

    [Fact]
    public async Task Requests_AreCountedByRouteAndOutcome()
    {
        await using var gateway = await KeyedGateway.StartAsync(""" "Mode": "Required" """);
        using var meters = new MeterRecorder(gateway);

        await gateway.PostAsync("k");
        await gateway.PostAsync("k");
        await gateway.PostAsync("k", "other");
        await gateway.PostAsync(null);
        await gateway.PostAsync("a b");

        var counted = meters.Of("fencegateway.idempotency.requests");
        counted.Select(m => m.Tags["fencegateway.outcome"]).ShouldBe(
            ["first", "replayed", "reused", "missing", "malformed"]);
        counted.ShouldAllBe(m => m.Tags["fencegateway.route"] == "plain");
        meters.Of("fencegateway.idempotency.store.duration").Select(m => m.Tags["fencegateway.step"]).ShouldBe(
            ["start", "complete"]);
        meters.Observe("fencegateway.idempotency.entries").ShouldBe(1);
        meters.Observe("fencegateway.idempotency.size").ShouldBeGreaterThan(0);
    }
}
