using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Idempotency;

/// <summary>What the repeat of a request gets, and what counts as a repeat.</summary>
public sealed class ReplayTests
{
    [Fact]
    public async Task Repeat_Answered_GetsTheFirstAnswerAndIsNotForwarded()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Service.Script = _ => ServiceAction.Apply(201, "created");
        var first = await gateway.PostAsync("k");

        var repeat = await gateway.PostAsync("k");

        first.ShouldBeServices(201);
        first.Text.ShouldBe("created");
        repeat.ShouldBeReplay(first);
        gateway.Service.Entries.Count.ShouldBe(1);
        gateway.Service.Entries[0].Headers["Idempotency-Key"].ShouldBe(["k"]);
        gateway.Service.Entries[0].BodyLength.ShouldBe(4);
    }

    [Fact]
    public async Task Repeat_Headers_AreTheFirstOnesExceptCookiesAndTheGatewaysOwn()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        var first = await gateway.SendAsync(new Keyed { Key = "k", Headers = [("X-Correlation-Id", "one")] });

        var repeat = await gateway.SendAsync(new Keyed { Key = "k", Headers = [("X-Correlation-Id", "two")] });

        first.Headers["Set-Cookie"].ShouldBe("session=secret");
        repeat.Headers["X-Answer"].ShouldBe("kept");
        repeat.Headers["Date"].ShouldBe(first.Headers["Date"]);
        repeat.Headers["X-Correlation-Id"].ShouldBe("two");
        repeat.Headers.Keys.ShouldNotContain("Set-Cookie");
    }

    [Theory]
    [InlineData(200, "")]
    [InlineData(204, "")]
    [InlineData(404, "no such order")]
    [InlineData(409, "the service's own conflict")]
    [InlineData(500, "failed")]
    public async Task Repeat_AnyFinalStatus_IsReplayed(int status, string body)
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Service.Script = _ => ServiceAction.Apply(status, body);
        var first = await gateway.PostAsync("k");
        gateway.Service.Script = _ => ServiceAction.Apply(202);

        (await gateway.PostAsync("k")).ShouldBeReplay(first);
        first.Status.ShouldBe(status);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(408)]
    [InlineData(425)]
    [InlineData(429)]
    [InlineData(503)]
    public async Task Repeat_ServiceSaidAgain_IsForwarded(int status)
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Service.Script = _ => ServiceAction.Refuse(status, "later");
        var first = await gateway.PostAsync("k");
        gateway.Service.Script = _ => ServiceAction.Apply(201);

        var repeat = await gateway.PostAsync("k");

        (first.Status, first.Text).ShouldBe((status, "later"));
        repeat.ShouldBeServices(201);
        repeat.Headers.Keys.ShouldNotContain("Idempotency-Replayed");
    }

    [Fact]
    public async Task Repeat_QuotedKey_IsTheSameKey()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        var first = await gateway.PostAsync("8e03978e-40d5-43e8-bc93-6894a57f9324");

        (await gateway.PostAsync("\"8e03978e-40d5-43e8-bc93-6894a57f9324\"")).ShouldBeReplay(first);
    }

    [Fact]
    public async Task Repeat_Chunked_IsTheSameRequest()
    {
        await using var gateway = await KeyedGateway.StartAsync();
        var body = new string('x', 20_000);
        var first = await gateway.SendAsync(new Keyed { Key = "k", Body = body, Chunked = true });

        (await gateway.SendAsync(new Keyed { Key = "k", Body = body, Chunked = true })).ShouldBeReplay(first);
        (await gateway.SendAsync(new Keyed { Key = "k", Body = body })).ShouldBeReplay(first);
        gateway.Service.Entries.ShouldHaveSingleItem().BodyLength.ShouldBe(20_000);
    }

    public static TheoryData<string> Differences => ["body", "method", "path", "query", "content type"];

    [Theory]
    [MemberData(nameof(Differences))]
    public async Task Key_OfAnotherRequest_422(string difference)
    {
        await using var gateway = await KeyedGateway.StartAsync();
        var first = new Keyed { Key = "k" };
        (await gateway.SendAsync(first)).ShouldBeServices(200);

        var other = await gateway.SendAsync(difference switch
        {
            "body" => first with { Body = "other" },
            "method" => first with { Method = HttpMethod.Put },
            "path" => first with { Path = "/plain/2" },
            "query" => first with { Path = "/plain/1?a=b" },
            _ => first with { ContentType = "text/html" },
        });

        other.ShouldBeProblem(422, "idempotency-key-reused");
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("/other/1", null)]
    [InlineData("/plain/1", "tenant-2")]
    public async Task Key_OfAnotherRouteOrTenant_IsAnotherKey(string path, string? tenant)
    {
        await using var gateway = await KeyedGateway.StartAsync();
        (await gateway.PostAsync("k")).ShouldBeServices(200);

        var other = await gateway.SendAsync(new Keyed
        {
            Key = "k",
            Path = path,
            Body = "other",
            Headers = tenant is null ? [] : [("X-Tenant-Id", tenant)],
        });

        other.ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Repeat_AfterTheTimeToLive_IsForwarded()
    {
        await using var gateway = await KeyedGateway.StartAsync(""" "Ttl": "48:00:00" """);
        var first = await gateway.PostAsync("k");
        gateway.Clock.Advance(TimeSpan.FromHours(48) - TimeSpan.FromSeconds(1));
        (await gateway.PostAsync("k")).ShouldBeReplay(first);

        gateway.Clock.Advance(TimeSpan.FromSeconds(1));

        (await gateway.PostAsync("k")).ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Repeat_OfASafeMethod_IsForwarded()
    {
        await using var gateway = await KeyedGateway.StartAsync(""" "Mode": "Required" """);
        (await gateway.SendAsync(new Keyed { Method = HttpMethod.Get, Key = "k" })).ShouldBeServices(200);
        (await gateway.SendAsync(new Keyed { Method = HttpMethod.Get, Key = "k" })).ShouldBeServices(200);
        (await gateway.SendAsync(new Keyed { Method = HttpMethod.Get })).ShouldBeServices(200);

        gateway.Service.Entries.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Repeat_OnARouteWithoutAPolicy_IsForwarded()
    {
        await using var gateway = await KeyedGateway.StartAsync(""" "Mode": "Required" """);
        (await gateway.PostAsync("k", path: "/open/1")).ShouldBeServices(200);
        (await gateway.PostAsync("k", path: "/open/1")).ShouldBeServices(200);
        (await gateway.PostAsync(null, path: "/open/1")).ShouldBeServices(200);

        gateway.Service.Entries.Count.ShouldBe(3);
    }
}
