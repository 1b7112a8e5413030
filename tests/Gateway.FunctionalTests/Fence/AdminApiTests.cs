using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>The admin listener as docs/operations.md describes it.</summary>
public sealed class AdminApiTests
{
    private const string Resource = "/admin/v1/resources/orders/1";

    [Fact]
    public async Task Version_TellsProductRuntimeAndStore()
    {
        await using var gateway = await FencedGateway.StartAsync();

        var answer = await gateway.AdminGetAsync("/admin/v1/version");

        answer.ShouldBeServices(200);
        answer.Json.GetProperty("product").GetString().ShouldBe("FenceGateway");
        answer.Json.GetProperty("version").GetString().ShouldNotBeNullOrEmpty();
        answer.Json.GetProperty("runtime").GetString()!.ShouldContain(".NET");
        var store = answer.Json.GetProperty("tokenStore");
        store.GetProperty("provider").GetString().ShouldBe("Memory");
        store.GetProperty("grade").GetString().ShouldBe("Volatile");
    }

    [Fact]
    public async Task Config_ShowsDefaultsAndHidesSecrets()
    {
        await using var gateway = await FencedGateway.StartAsync(new()
        {
            Cluster = """ "Metadata": { "Password": "hunter2" } """,
        });

        var answer = await gateway.AdminGetAsync("/admin/v1/config");

        answer.ShouldBeServices(200);
        answer.Text.ShouldNotContain("hunter2");
        var policy = answer.Json.GetProperty("FenceGateway").GetProperty("FencingPolicies").GetProperty("per-order");
        policy.GetProperty("Barrier").GetString().ShouldBe("Drain");
        policy.GetProperty("DrainTimeout").GetString().ShouldBe("00:00:07");
        answer.Json.GetProperty("lastReload").GetProperty("succeeded").GetBoolean().ShouldBeTrue();
    }

    [Fact]
    public async Task Routes_ShowTheirPolicies()
    {
        await using var gateway = await FencedGateway.StartAsync();

        var routes = (await gateway.AdminGetAsync("/admin/v1/routes")).Json.GetProperty("routes");

        routes.EnumerateArray().Select(
            r => (r.GetProperty("route").GetString(), r.GetProperty("fencingPolicy").GetString()))
            .ShouldBe([("open", null), ("orders", "per-order")]);
        routes[1].GetProperty("resource").GetString().ShouldBe("orders/{id}");
        routes[1].GetProperty("mode").GetString().ShouldBe("Enforce");
    }

    [Fact]
    public async Task Resources_PagedByPrefix_MostRecentlyAdvancedFirst()
    {
        await using var gateway = await FencedGateway.StartAsync();
        foreach (var id in new[] { "a1", "a2", "b1", "a3" })
        {
            (await gateway.PutAsync(7, $"/orders/{id}")).ShouldBeServices(200);
        }

        (await gateway.PutAsync(8, "/orders/a1")).ShouldBeServices(200);

        var first = (await gateway.AdminGetAsync("/admin/v1/resources?prefix=orders/a&limit=2")).Json;
        var second = (await gateway.AdminGetAsync(
            $"/admin/v1/resources?prefix=orders/a&limit=2&cursor={first.GetProperty("next").GetString()}")).Json;

        Names(first).ShouldBe(["orders/a1", "orders/a3"]);
        Names(second).ShouldBe(["orders/a2"]);
        second.GetProperty("next").GetString().ShouldBeNull();
        first.GetProperty("total").GetInt64().ShouldBe(4);
        first.GetProperty("resources")[0].GetProperty("mark").GetInt64().ShouldBe(8);
    }

    [Fact]
    public async Task Resources_ThatAdvanceBetweenThePages_AreAllListed()
    {
        await using var gateway = await FencedGateway.StartAsync();
        for (var i = 0; i < 40; i++)
        {
            (await gateway.PutAsync(1, $"/orders/{i}")).ShouldBeServices(200);
        }

        HashSet<string> listed = [];
        var (cursor, token) = ("", 1L);
        do
        {
            var page = (await gateway.AdminGetAsync($"/admin/v1/resources?limit=5&cursor={cursor}")).Json;
            listed.UnionWith(Names(page).OfType<string>());
            cursor = page.GetProperty("next").GetString();

            // The oldest ones go to the front, past the walk.
            token++;
            for (var i = 0; i < 4 && token <= 20; i++)
            {
                (await gateway.PutAsync(token, $"/orders/{(token * 4 + i) % 40}")).ShouldBeServices(200);
            }
        }
        while (cursor is not null);

        listed.Count.ShouldBe(40);
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=1001")]
    [InlineData("limit=x")]
    [InlineData("cursor=-1")]
    [InlineData("cursor=7")]
    [InlineData("cursor=7-1")]
    [InlineData("cursor=0-1-2")]
    [InlineData("cursor=7-1-9223372036854775808")]
    [InlineData("cursor=7-1-2-3")]
    public async Task Resources_BadQuery_400(string query)
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.AdminGetAsync($"/admin/v1/resources?{query}")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task Resource_InFlightAndInDoubt_AreShownWithTheirDeadline()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, _) = await gateway.PutHeldAsync(33);

        (await gateway.AdminGetAsync(Resource)).Json.GetProperty("inFlight").GetInt32().ShouldBe(1);
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        await answering33;
        var shown = (await gateway.AdminGetAsync(Resource)).Json;

        shown.GetProperty("resource").GetString().ShouldBe("orders/1");
        shown.GetProperty("mark").GetInt64().ShouldBe(33);
        shown.GetProperty("inFlight").GetInt32().ShouldBe(0);
        var doubt = shown.GetProperty("inDoubt").EnumerateArray().ShouldHaveSingleItem();
        doubt.GetProperty("token").GetInt64().ShouldBe(33);
        doubt.GetProperty("cause").GetString().ShouldBe("unanswered");
        doubt.GetProperty("until").GetDateTimeOffset().ShouldBe(gateway.Clock.GetUtcNow() + GatewaySetup.InDoubtHold);
    }

    [Fact]
    public async Task Mark_LoweredWithAReason_AdmitsTheOlderTokenAgain()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(1_000_000)).ShouldBeServices(200);
        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");

        var answer = await gateway.AdminPostAsync($"{Resource}/mark", """{ "mark": 33, "reason": "a wrong token" }""");

        answer.ShouldBeServices(200);
        answer.Json.GetProperty("mark").GetInt64().ShouldBe(33);
        (await gateway.PutAsync(33)).ShouldBeServices(200);
        (await gateway.PutAsync(32)).ShouldBeProblem(409, "fencing-token-stale");
    }

    [Fact]
    public async Task Mark_Raised_MakesLowerTokensStaleAlsoOfAResourceNeverSeen()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(33)).ShouldBeServices(200);

        (await gateway.AdminPostAsync($"{Resource}/mark", """{ "mark": 50, "reason": "restored" }""")).ShouldBeServices(200);
        (await gateway.AdminPostAsync("/admin/v1/resources/orders/new/mark", """{ "mark": 9, "reason": "restored" }"""))
            .ShouldBeServices(200);

        (await gateway.PutAsync(33)).ShouldBeProblem(409, "fencing-token-stale");
        (await gateway.PutAsync(50)).ShouldBeServices(200);
        (await gateway.PutAsync(8, "/orders/new")).ShouldBeProblem(409, "fencing-token-stale");
    }

    [Fact]
    public async Task Mark_WhileInFlightOrInDoubt_409AndUnchanged()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, _) = await gateway.PutHeldAsync(33);
        const string Body = """{ "mark": 5, "reason": "why" }""";

        (await gateway.AdminPostAsync($"{Resource}/mark", Body)).Status.ShouldBe(409);
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        await answering33;
        (await gateway.AdminPostAsync($"{Resource}/mark", Body)).Status.ShouldBe(409);
        (await gateway.AdminGetAsync(Resource)).Json.GetProperty("mark").GetInt64().ShouldBe(33);
        gateway.Clock.Advance(GatewaySetup.InDoubtHold);

        (await gateway.AdminPostAsync($"{Resource}/mark", Body)).ShouldBeServices(200);
    }

    [Fact]
    public async Task Resolve_WriteInDoubt_LetsTheWaitingNewerTokenGoOn()
    {
        await using var gateway = await FencedGateway.StartAsync();
        gateway.Hold(33);
        var (answering33, _) = await gateway.PutHeldAsync(33);
        gateway.Clock.Advance(GatewaySetup.WriteTimeout);
        await answering33;
        var answering34 = await gateway.PutWaitingAsync(34);

        var resolved = await gateway.AdminPostAsync($"{Resource}/resolve", """{ "reason": "the service was restarted" }""");

        resolved.ShouldBeServices(200);
        resolved.Json.GetProperty("inDoubt").GetArrayLength().ShouldBe(0);
        resolved.Json.GetProperty("resolved").GetProperty("here").GetInt32().ShouldBe(1);
        resolved.Json.GetProperty("resolved").GetProperty("inStore").GetInt32().ShouldBe(0);
        (await answering34).ShouldBeServices(200);
    }

    [Theory]
    [InlineData("orders/1", 409)]
    [InlineData("orders/never-seen", 404)]
    public async Task Resolve_NothingInDoubt_SaysSo(string resource, int status)
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(33)).ShouldBeServices(200);

        var answer = await gateway.AdminPostAsync($"/admin/v1/resources/{resource}/resolve", """{ "reason": "just in case" }""");

        answer.Status.ShouldBe(status);
        answer.Text.ShouldContain(status == 409 ? "Nothing was resolved" : "No token has been seen");
    }

    [Theory]
    [InlineData("mark", """{ "mark": 33 }""", "application/json")]
    [InlineData("mark", """{ "mark": 33, "reason": " " }""", "application/json")]
    [InlineData("mark", """{ "mark": -1, "reason": "why" }""", "application/json")]
    [InlineData("mark", """{ "mark": "33", "reason": "why" }""", "application/json")]
    [InlineData("mark", """{ "mark": 9223372036854775808, "reason": "why" }""", "application/json")]
    [InlineData("mark", """{ "mark": 1.5, "reason": "why" }""", "application/json")]
    [InlineData("mark", """{ "reason": "why" }""", "application/json")]
    [InlineData("mark", """[ 33, "why" ]""", "application/json")]
    [InlineData("mark", """{ "mark": 33, "reason": "why" """, "application/json")]
    [InlineData("mark", "", "application/json")]
    [InlineData("mark", """{ "mark": 33, "reason": "why" }""", "text/plain")]
    [InlineData("mark", """{ "mark": 33, "reason": "why", "mark": 34 }""", "application/json")]
    [InlineData("mark", """{ "mark": 33, "reason": "\ud800" }""", "application/json")]
    [InlineData("mark", """{ "mark": 33, "reason": "why", "resource": "orders/\udc00" }""", "application/json")]
    [InlineData("mark", """{ "mark": 33, "reason": "why", "\ud800": 1 }""", "application/json")]
    [InlineData("mark", """{ "mark": "\ud800", "reason": "why" }""", "application/json")]
    [InlineData("mark", """{ "mark": 33, "reason": "why", "resource": "orders/2" }""", "application/json")]
    [InlineData("mark", """{ "mark": 33, "reason": "why", "resource": 1 }""", "application/json")]
    [InlineData("resolve", """{ "reason": "\udfff" }""", "application/json")]
    [InlineData("resolve", "{}", "application/json")]
    [InlineData("resolve", """{ "reason": 5 }""", "application/json")]
    [InlineData("resolve", """{ "reason": "why" }""", "text/plain")]
    public async Task Change_WrongBody_400AndNothingChanges(string change, string body, string contentType)
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(40)).ShouldBeServices(200);

        (await gateway.AdminPostAsync($"{Resource}/{change}", body, contentType)).Status.ShouldBe(400);

        (await gateway.AdminGetAsync(Resource)).Json.GetProperty("mark").GetInt64().ShouldBe(40);
    }

    /// <summary>
    /// By its path with slashes as they are or encoded, by the query and by the body: each time the same resource.
    /// </summary>
    [Theory]
    [InlineData("/orders/1/mark", "")]
    [InlineData("/orders%2F1/mark", "")]
    [InlineData("/orders%2f1/mark", "")]
    [InlineData("/mark?key=orders/1", "")]
    [InlineData("/mark?key=orders%2F1", "")]
    [InlineData("/mark", "orders/1")]
    [InlineData("/orders/1/mark", "orders/1")]
    public async Task Change_OfAResourceThatIsNamedInOneWayOrAnother_IsOfThatOne(string target, string inBody)
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(40)).ShouldBeServices(200);
        var more = inBody.Length > 0 ? $", \"resource\": \"{inBody}\"" : "";

        (await gateway.AdminPostAsync($"/admin/v1/resources{target}", $$"""{ "mark": 33, "reason": "why"{{more}} }""")).ShouldBeServices(200);

        (await gateway.AdminGetAsync(Resource)).Json.GetProperty("mark").GetInt64().ShouldBe(33);
        (await gateway.AdminGetAsync("/admin/v1/resources?prefix=")).Json.GetProperty("total").GetInt64().ShouldBe(1);
    }

    [Theory]
    [InlineData("/orders/1/mark?key=orders/2")]
    [InlineData("/mark")]
    [InlineData("/mark?key=")]
    [InlineData("/mark?key=orders/1&key=orders/2")]
    public async Task Change_OfNoResourceOrOfTwo_400AndNothingChanges(string target)
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(40)).ShouldBeServices(200);

        (await gateway.AdminPostAsync($"/admin/v1/resources{target}", """{ "mark": 33, "reason": "why" }""")).Status.ShouldBe(400);

        (await gateway.AdminGetAsync(Resource)).Json.GetProperty("mark").GetInt64().ShouldBe(40);
        (await gateway.AdminGetAsync("/admin/v1/resources?prefix=")).Json.GetProperty("total").GetInt64().ShouldBe(1);
    }

    [Theory]
    [InlineData("a/../b")]
    [InlineData("a%2Fb")]
    [InlineData("mark")]
    [InlineData("orders/x y/resolve")]
    public async Task Resource_WithAKeyThatNoPathCanCarry_IsFoundByTheQuery(string key)
    {
        await using var gateway = await FencedGateway.StartAsync();
        var query = $"?key={Uri.EscapeDataString(key)}";

        (await gateway.AdminPostAsync($"/admin/v1/resources/mark{query}", """{ "mark": 9, "reason": "why" }""")).ShouldBeServices(200);

        var shown = await gateway.AdminGetAsync($"/admin/v1/resources{query}");
        (shown.Json.GetProperty("resource").GetString(), shown.Json.GetProperty("mark").GetInt64()).ShouldBe((key, 9));
    }

    /// <summary>Somebody's browser, led here by a page of another origin.</summary>
    [Theory]
    [InlineData("Host: evil.example")]
    [InlineData("Host: localhost.evil.example:8081")]
    [InlineData("Host: 127.0.0.1.evil.example")]
    [InlineData("Host: localhost", "Origin: http://evil.example")]
    [InlineData("Host: localhost", "Origin: https://localhost")]
    [InlineData("Host: localhost", "Origin: null")]
    [InlineData("Host: localhost", "Sec-Fetch-Site: cross-site")]
    [InlineData("Host: localhost", "Sec-Fetch-Site: same-site")]
    public async Task AnyEndpoint_AskedForByAPageOfAnotherOrigin_403AndNothingChanges(params string[] headers)
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(40)).ShouldBeServices(200);
        const string Body = """{ "mark": 33, "reason": "why" }""";
        string[] posted = [.. headers, "Content-Type: application/json", $"Content-Length: {Body.Length}"];

        foreach (var path in (string[])["/livez", "/readyz", "/admin/v1/config", Resource, "/nothing"])
        {
            (await AskAsync($"GET {path} HTTP/1.1", headers)).ShouldBe(403, path);
        }

        (await AskAsync($"POST {Resource}/mark HTTP/1.1", posted, Body)).ShouldBe(403);
        (await gateway.AdminGetAsync(Resource)).Json.GetProperty("mark").GetInt64().ShouldBe(40);

        async Task<int> AskAsync(string line, string[] with, string body = "") =>
            (await RawHttpClient.ExchangeAsync(gateway.AdminAddress.Port, RawHttpClient.Head(line, with) + body)).Status;
    }

    [Theory]
    [InlineData("Host: localhost:8081")]
    [InlineData("Host: LOCALHOST")]
    [InlineData("Host: 10.1.2.3:8081")]
    [InlineData("Host: [::1]:8081")]
    [InlineData("Host: gateway.internal:8081")]
    [InlineData("Host: localhost:8081", "Origin: http://localhost:8081", "Sec-Fetch-Site: same-origin")]
    [InlineData("Host: localhost:8081", "Sec-Fetch-Site: none")]
    public async Task AnyEndpoint_AskedForByAnOwnName_IsAnswered(params string[] headers)
    {
        await using var gateway = await FencedGateway.StartAsync(new() { Gateway = """ "Admin": { "Url": "http://127.0.0.1:0", "Hosts": [ "gateway.internal" ] } """ });

        (await RawHttpClient.ExchangeAsync(gateway.AdminAddress.Port, RawHttpClient.Head("GET /readyz HTTP/1.1", headers))).Status.ShouldBe(200);
        (await RawHttpClient.ExchangeAsync(gateway.AdminAddress.Port, RawHttpClient.Head("HEAD /readyz "
            + "HTTP/1.1", headers))).Status.ShouldBe(200);
    }

    [Fact]
    public async Task UnknownPathsAndMethods_AreAnsweredWithProblems()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.AdminGetAsync("/nothing")).ShouldBeProblem(404, "about:blank");
        (await gateway.AdminGetAsync(Resource)).ShouldBeProblem(404, "about:blank");
        (await gateway.AdminPostAsync("/admin/v1/version", "{}")).ShouldBeProblem(405, "about:blank");
        (await gateway.AdminPostAsync($"{Resource}/forget", """{ "reason": "why" }""")).ShouldBeProblem(404, "about:blank");
    }

    [Theory]
    [InlineData("/livez")]
    [InlineData("/readyz")]
    [InlineData("/healthz")]
    [InlineData("/admin/v1/version")]
    [InlineData("/admin/v1/config")]
    [InlineData("/admin/v1/resources")]
    [InlineData("/admin/v1/resources/orders/1")]
    public async Task DataListener_HasNothingOfAdmin_WhateverTheHost(string path)
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.PutAsync(33)).ShouldBeServices(200);
        foreach (var host in new[] { gateway.Address.Authority, gateway.AdminAddress.Authority, "localhost" })
        {
            foreach (var target in new[] { path, $"http://{host}{path}" })
            {
                var response = await RawHttpClient.ExchangeAsync(
                    gateway.Address.Port, RawHttpClient.Head($"GET {target} HTTP/1.1", $"Host: {host}"));

                response.Status.ShouldBe(404, $"{target} with Host {host}");
            }
        }

        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Health_OfARunningGateway_IsLiveAndReady()
    {
        await using var gateway = await FencedGateway.StartAsync();
        (await gateway.AdminGetAsync("/livez")).ShouldBeServices(200);
        foreach (var path in new[] { "/readyz", "/healthz" })
        {
            var ready = await gateway.AdminGetAsync(path);
            ready.ShouldBeServices(200);
            ready.Json.GetProperty("checks").GetProperty("tokenStore").GetString().ShouldBe("ok");
        }
    }

    private static IEnumerable<string?> Names(System.Text.Json.JsonElement page) =>
        page.GetProperty("resources").EnumerateArray().Select(r => r.GetProperty("resource").GetString());
}
