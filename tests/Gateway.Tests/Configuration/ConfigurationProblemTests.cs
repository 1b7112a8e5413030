using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Tests.Configuration;

public sealed class ConfigurationProblemTests
{
    private const string PolicyPath = "$.FenceGateway.FencingPolicies.per-order";

    [Theory]
    [InlineData("\"Shutdwn\": {}", "$.FenceGateway.Shutdwn", "did you mean 'Shutdown'?")]
    [InlineData("\"Zzzz\": 1", "$.FenceGateway.Zzzz", "known keys: Admin, TokenStore, FencingPolicies, "
        + "ResiliencePolicies, RateLimiterPolicies")]
    [InlineData("\"Idempotency\": { \"Path\": \"data/tokens/\" }", "$.FenceGateway.Idempotency.Path", "the folder of "
        + "the token store")]
    [InlineData("\"TokenStore\": \"Memory\"", "$.FenceGateway.TokenStore", "is the value 'Memory' where an object is "
        + "expected")]
    [InlineData("\"FencingPolicies\": \"x\"", "$.FenceGateway.FencingPolicies", "where an object is expected")]
    [InlineData("\"FencingPolicies\": { \"a.b\": {} }", "$.FenceGateway.FencingPolicies['a.b'].Resource", "is required")]
    [InlineData("\"TokenStore\": { \"Provider\": \"Memry\" }", "$.FenceGateway.TokenStore.Provider", "did you mean "
        + "'Memory'?")]
    [InlineData("\"TokenStore\": { \"Provider\": \"1\" }", "$.FenceGateway.TokenStore.Provider", "one of Memory, "
        + "Embedded, Redis")]
    [InlineData("\"TokenStore\": { \"MaxActiveResources\": 1 }", "$.FenceGateway.TokenStore.MaxActiveResources", "16 to 16777216")]
    [InlineData("\"TokenStore\": { \"MaxActiveResources\": 2.5 }", "$.FenceGateway.TokenStore.MaxActiveResources", "a whole number")]
    [InlineData("\"TokenStore\": { \"Embedded\": { \"Path\": \"\" } }", "$.FenceGateway.TokenStore.Embedded.Path", "is required")]
    [InlineData("\"Shutdown\": { \"Timeout\": \"02:00:00\" }", "$.FenceGateway.Shutdown.Timeout", "00:00:00 to 01:00:00")]
    [InlineData("\"Shutdown\": { \"Delay\": [1] }", "$.FenceGateway.Shutdown.Delay", "where a duration")]
    [InlineData("\"Requests\": { \"TenantHeader\": \"Host\" }", "$.FenceGateway.Requests.TenantHeader", "a meaning of "
        + "its own")]
    [InlineData("\"Requests\": { \"TenantHeader\": \"x-correlation_id\" }", "$.FenceGateway.Requests.TenantHeader", "CorrelationHeader")]
    [InlineData("\"Admin\": { \"Url\": \"nonsense\" }", "$.FenceGateway.Admin.Url", "no address to listen on")]
    [InlineData("\"Admin\": { \"Url\": \"https://127.0.0.1:1\" }", "$.FenceGateway.Admin.Url", "http only")]
    [InlineData("\"Admin\": { \"Url\": \"http://*:8080\" }", "$.FenceGateway.Admin.Url", "also the data listener")]
    public async Task Gateway_Wrong_NamesPathAndRemedy(string members, string path, string message) =>
        await ShouldBeOnlyProblemAsync(Json.Gateway(members), path, message);

    [Theory]
    [InlineData("\"DrainTimout\": \"00:00:01\"", ".DrainTimout", "did you mean 'DrainTimeout'?")]
    [InlineData("\"Mode\": \"enforced\"", ".Mode", "one of Enforce, Report, Off is expected; did you mean 'Enforce'?")]
    [InlineData("\"Mode\": 0", ".Mode", "one of Enforce, Report, Off")]
    [InlineData("\"Mode\": \"Enforce, Report\"", ".Mode", "one of Enforce, Report, Off")]
    [InlineData("\"MissingToken\": \"Refuse\"", ".MissingToken", "one of Reject, Allow")]
    [InlineData("\"Barrier\": \"\"", ".Barrier", "one of Drain, Seal")]
    [InlineData("\"CaseInsensitive\": 1", ".CaseInsensitive", "true or false")]
    [InlineData("\"DrainTimeout\": 5", ".DrainTimeout", "a duration hh:mm:ss")]
    [InlineData("\"DrainTimeout\": \"5s\"", ".DrainTimeout", "a duration hh:mm:ss")]
    [InlineData("\"DrainTimeout\": \"0:0:5\"", ".DrainTimeout", "a duration hh:mm:ss")]
    [InlineData("\"DrainTimeout\": \"24:00:00\"", ".DrainTimeout", "out of range")]
    [InlineData("\"DrainTimeout\": \"10000:00:00\"", ".DrainTimeout", "a duration hh:mm:ss")]
    [InlineData("\"DrainTimeout\": \"-00:00:01\"", ".DrainTimeout", "a duration hh:mm:ss")]
    [InlineData("\"DrainTimeout\": \"00:10:01\"", ".DrainTimeout", "out of range: 00:00:00 to 00:10:00")]
    [InlineData("\"InDoubtHold\": \"00:00:00\"", ".InDoubtHold", "out of range: 00:00:00.001 to 1.00:00:00")]
    [InlineData("\"WriteTimeout\": \"1.00:00:01\"", ".WriteTimeout", "out of range")]
    [InlineData("\"HeaderAliases\": \"X-Fence\"", ".HeaderAliases", "a list is expected: [ \"X-Fence\" ]")]
    [InlineData("\"HeaderAliases\": [ \"a\", {} ]", ".HeaderAliases[1]", "is not a text")]
    [InlineData("\"Header\": \"Fencing Token\"", ".Header", "no header name")]
    [InlineData("\"Header\": \"transfer-encoding\"", ".Header", "a meaning of its own")]
    [InlineData("\"Header\": \"Content-Length\"", ".Header", "a meaning of its own")]
    [InlineData("\"Header\": \"x_forwarded.for\"", ".Header", "a meaning of its own")]
    [InlineData("\"Header\": \"\"", ".Header", "is required")]
    [InlineData("\"HeaderAliases\": [ \"fencing-token\" ]", ".HeaderAliases[0]", "may take for Header")]
    [InlineData("\"HeaderAliases\": [ \"Fencing_Token\" ]", ".HeaderAliases[0]", "may take for Header")]
    [InlineData("\"HeaderAliases\": [ \"fencing.token\" ]", ".HeaderAliases[0]", "may take for Header")]
    [InlineData("\"HeaderAliases\": [ \"X-A\", \"x_a\" ]", ".HeaderAliases[1]", "may take for HeaderAliases[0]")]
    [InlineData("\"HeaderAliases\": [ \"X-Tenant-Id\" ]", ".HeaderAliases[0]", "FenceGateway.Requests.TenantHeader")]
    public async Task Policy_Wrong_NamesPathAndRemedy(string members, string path, string message) =>
        await ShouldBeOnlyProblemAsync(Json.Policy(members), PolicyPath + path, message);

    [Theory]
    [InlineData("orders/{id", "has a '{' without a '}' at position 7")]
    [InlineData("orders/{what:id}", "unknown placeholder '{what:id}'")]
    [InlineData("{id}-{rest}", "apart with a '/'")]
    [InlineData("a/{header:fencing-token}", "every token would be a resource of its own")]
    public async Task Template_Wrong_SaysWhatToMend(string template, string message) =>
        await ShouldBeOnlyProblemAsync(
            Json.Gateway($$""" "FencingPolicies": { "per-order": { "Resource": "{{template}}" } } """),
            PolicyPath + ".Resource",
            message);

    [Theory]
    [InlineData("\"Match\": { \"Path\": \"/o/{key}\" }, \"Metadata\": { \"FencingPolicy\": \"per-order\" }",
        ".Match.Path", "'/o/{key}' has no parameter {id}")]
    [InlineData("\"Match\": { \"Hosts\": [ \"a\" ] }, \"Metadata\": { \"FencingPolicy\": \"per-order\" }",
        ".Match.Path", "is missing and so has no parameter {id}")]
    [InlineData("\"Match\": { \"Path\": \"/o/{id}\" }, \"Metadata\": { \"FencingPolicy\": \"per-ordr\" }",
        ".Metadata.FencingPolicy", "names no fencing policy 'per-ordr'; did you mean 'per-order'?")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"Metadata\": { \"FencePolicy\": \"per-order\" }",
        ".Metadata.FencePolicy", "did you mean 'FencingPolicy'?")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"Metadata\": { \"ResiliencePolicy\": \"x\" }",
        ".Metadata.ResiliencePolicy", "names no resilience policy")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"Metadata\": { \"ConnectionLifetime\": \"00:01:00\" }",
        ".Metadata.ConnectionLifetime", "Metadata of a cluster")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"AuthorizationPolicy\": "
        + "\"x\"", ".AuthorizationPolicy", "not supported yet")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"CorsPolicy\": \"x\"", ".CorsPolicy", "names no CORS policy 'x'")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"RateLimiterPolicy\": \"x\"", ".RateLimiterPolicy", "there are no "
        + "rate limiter policies")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"OutputCachePolicy\": \"x\"", ".OutputCachePolicy", "not supported "
        + "yet")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"TimeoutPolicy\": \"slow\"", ".TimeoutPolicy", "not supported yet")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"Ordr\": 1", ".Ordr", "did you mean 'Order'?")]
    [InlineData("\"Match\": { \"Path\": \"/o\", \"Metods\": [] }", ".Match.Metods", "did you mean 'Methods'?")]
    [InlineData("\"Match\": { \"Path\": \"/o/{id\" }", "", "Invalid path '/o/{id'")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"Order\": \"first\"", "", "is refused by YARP")]
    [InlineData("\"Match\": { \"Path\": \"/o\" }, \"Transforms\": [ { \"Foo\": \"x\" } "
        + "]", "", "Unknown transform: Foo")]
    public async Task Route_Wrong_NamesPathAndRemedy(string members, string path, string message) =>
        await ShouldBeOnlyProblemAsync(Json.Route(members), "$.ReverseProxy.Routes.r" + path, message);

    [Theory]
    [InlineData("\"Routes\": { \"r\": { \"Match\": { \"Path\": \"/\" } } }", "Routes.r.ClusterId", "is required")]
    [InlineData("\"Routes\": { \"r\": { \"ClusterId\": \"d\", \"Match\": { \"Path\": \"/\" } } "
        + "}", "Routes.r.ClusterId", "there are no clusters")]
    [InlineData("\"Clusters\": { \"c\": { \"LoadBalancingPolicy\": \"Nope\" } }", "Clusters.c", "LoadBalancingPolicy")]
    [InlineData("\"Clusters\": { \"c\": { \"HttpRequest\": { \"Versio\": \"2\" } } "
        + "}", "Clusters.c.HttpRequest.Versio", "'Version'")]
    [InlineData("\"Clusters\": { \"c\": { \"Metadata\": { \"FencingPolicy\": \"p\" } } }",
        "Clusters.c.Metadata.FencingPolicy", "Metadata of a route")]
    [InlineData("\"Clusters\": { \"c\": { \"Metadata\": { \"ConnectionLifetime\": \"5m\" } } }",
        "Clusters.c.Metadata.ConnectionLifetime", "is '5m' where a duration from 00:00:01 to 1.00:00:00 is expected")]
    [InlineData("\"Clusters\": { \"c\": { \"Metadata\": { \"ConnectionLifetime\": \"00:00:00.5\" } } }",
        "Clusters.c.Metadata.ConnectionLifetime", "is '00:00:00.5' where")]
    [InlineData("\"Clusters\": { \"c\": { \"Metadata\": { \"ConnectionLifetime\": \"2.00:00:00\" } } }",
        "Clusters.c.Metadata.ConnectionLifetime", "is '2.00:00:00' where")]
    [InlineData("\"Clusters\": { \"c\": { \"Metadata\": { \"ConnectionLifetime\": \"-00:01:00\" } } }",
        "Clusters.c.Metadata.ConnectionLifetime", "is '-00:01:00' where")]
    [InlineData("\"Clusters\": { \"c\": { \"Metadata\": { \"ConnectionLifeTimes\": \"00:01:00\" } } }",
        "Clusters.c.Metadata.ConnectionLifeTimes", "did you mean 'ConnectionLifetime'?")]
    [InlineData("\"Clusters\": { \"c\": { \"HttpRequest\": { \"ActivityTimeout\": \"abc\" } } "
        + "}", "Clusters.c", "'abc'")]
    [InlineData("\"Clusters\": { \"c\": { \"Destinations\": { \"a\": { \"Address\": \"127.0.0.1:9001\" } } } }",
        "Clusters.c.Destinations.a.Address", "http://127.0.0.1:9001/")]
    [InlineData("\"Clusters\": { \"c\": { \"Destinations\": { \"a\": { \"Address\": \"localhost:9001\" } } } }",
        "Clusters.c.Destinations.a.Address", "is 'localhost:9001'")]
    [InlineData("\"Clusters\": { \"c\": { \"Destinations\": { \"a\": { \"Address\": \"http://h/\", \"Health\": \"h:1\" "
        + "} } } }",
        "Clusters.c.Destinations.a.Health", "is 'h:1'")]
    [InlineData("\"Routs\": {}", "Routs", "did you mean 'Routes'?")]
    public async Task ReverseProxy_Wrong_NamesPathAndRemedy(string members, string path, string message) =>
        await ShouldBeOnlyProblemAsync($$"""{ "ReverseProxy": { {{members}} } }""", "$.ReverseProxy." + path, message);

    [Theory]
    [InlineData("{ \"FenceGatway\": { \"Admin\": {} , \"x\": 1 } }", "$.FenceGatway", "did you mean 'FenceGateway'?")]
    [InlineData("{ \"FencingPolicies\": { \"a\": 1 } }", "$.FencingPolicies", "belongs inside 'FenceGateway'")]
    [InlineData("{ \"Urls\": \"8080\" }", "$.Urls", "no address to listen on")]
    [InlineData("{ \"Urls\": \"http://root:secret@127.0.0.1:8080\" }", "$.Urls", "has a user name in it, which no "
        + "address")]
    [InlineData("{ \"Urls\": \"http://localhost:8081\" }", "$.FenceGateway.Admin.Url", "also the data listener")]
    [InlineData("{ \"Kestrel\": { \"Endpoints\": { \"a\": { \"Url\": \"http://[::]:8081\" } } } }",
        "$.FenceGateway.Admin.Url", "$.Kestrel.Endpoints.a.Url")]
    [InlineData("{ \"a\": 1,\n \"A\": 2 }", "$.A", "is given twice, in lines 1 and 2")]
    [InlineData("{ \"a\": [ {}, { \"b\": 1, \"b\": 2 } ] }", "$.a[1].b", "is given twice")]
    public async Task File_Wrong_NamesPathAndRemedy(string json, string path, string message) =>
        await ShouldBeOnlyProblemAsync(json, path, message);

    [Theory]
    [InlineData("{\n \"a\": 1,\n \"b\" 3 }", ":3:6", "is no valid JSON")]
    [InlineData("", ":1:1", "is no valid JSON")]
    [InlineData("[]", "", "an object { … } is expected")]
    [InlineData("{ \"A:B\": 1, \"A\": { \"B\": 2 } }", "", "duplicate")]
    public async Task File_NoJson_NamesFileLineAndColumn(string json, string place, string message)
    {
        var problem = (await ConfigurationFolder.ProblemsAsync(json)).ShouldHaveSingleItem();
        problem.Path.ShouldEndWith("gateway.json" + place);
        problem.Message.ShouldContain(message);
    }

    [Fact]
    public async Task File_WithByteOrderMarkCommentsAndTrailingCommas_IsGood() =>
        (await ConfigurationFolder.ProblemsAsync("\uFEFF{ // why\n \"Urls\": \"http://127.0.0.1:1\", }"))
            .ShouldBeEmpty();

    [Fact]
    public async Task File_Missing_SaysSo()
    {
        using var folder = new ConfigurationFolder();
        var rejected = await Should.ThrowAsync<ConfigurationRejectedException>(() => folder.LoadAsync());
        rejected.Problems.ShouldHaveSingleItem().ShouldBe(new ConfigProblem(folder.File, "does not exist"));
        Should.Throw<ConfigurationRejectedException>(() => ConfigurationFile.Locate(folder.File))
            .Problems.ShouldHaveSingleItem().ShouldBe(new ConfigProblem(folder.File, "does not exist"));
    }

    [Fact]
    public async Task InDoubtHold_AnotherPolicyOfTheSameResources_HasToBeTheSame()
    {
        static string Policies(string mode, string provider = "Redis") => Json.Gateway($$"""
            "TokenStore": { "Provider": "{{provider}}", "Redis": {{(provider == "Redis" ? """{ "Configuration": "a" }""" : "null")}} },
            "FencingPolicies": {
              "a": { "Resource": "orders/{id}", "InDoubtHold": "00:00:20" },
              "b": { "Resource": "orders/{id}", "Mode": "{{mode}}" },
              "c": { "Resource": "invoices/{id}" }
            }
            """);

        await ShouldBeOnlyProblemAsync(
            Policies("Report"), "$.FenceGateway.FencingPolicies.b.InDoubtHold",
            "is 00:00:10, and that of 'a', which has the same Resource, is 00:00:20");
        (await ConfigurationFolder.ProblemsAsync(Policies("Off"))).ShouldBeEmpty();
        (await ConfigurationFolder.ProblemsAsync(Policies("Report", "Memory"))).ShouldBeEmpty(
            "there is no other gateway");
    }

    [Fact]
    public async Task Destination_WithAUser_IsNotRepeated()
    {
        var problem = (
            await ConfigurationFolder.ProblemsAsync(
                Json.Good.Replace("127.0.0.1:9001", "u:s3cret@127.0.0.1:9001", StringComparison.Ordinal)))
            .ShouldHaveSingleItem();
        problem.Message.ShouldNotContain("s3cret");
    }

    [Fact]
    public async Task Parse_ManyMistakes_ReportsAllAtOnce()
    {
        var problems = await ConfigurationFolder.ProblemsAsync("""
            {
              "ReverseProxy": { "Routes": { "r": { "Match": { "Path": "/{id" }, "Metadata": { "FencingPolicy": "q" } } } },
              "FenceGateway": {
                "Admn": {},
                "Shutdown": { "Delay": 3 },
                "FencingPolicies": { "p": { "Resource": "{", "Header": "Host", "Mode": "x" } }
              }
            }
            """);

        problems.Select(p => p.Path).ShouldBe(
            [
                "$.FenceGateway.Admn",
                "$.FenceGateway.Shutdown.Delay",
                "$.FenceGateway.FencingPolicies.p.Mode",
                "$.FenceGateway.FencingPolicies.p.Header",
                "$.FenceGateway.FencingPolicies.p.Resource",
                "$.ReverseProxy.Routes.r",
                "$.ReverseProxy.Routes.r.ClusterId",
                "$.ReverseProxy.Routes.r.Metadata.FencingPolicy",
            ],
            ignoreOrder: true);
    }

    [Fact]
    public async Task Parse_MistakeInEnvironmentOrCommandLine_IsFoundToo()
    {
        (await ConfigurationFolder.ProblemsAsync(Json.Good, ["--FenceGateway:Admin:Ulr=x"]))
            .ShouldHaveSingleItem().Path.ShouldBe("$.FenceGateway.Admin.Ulr");
        (await ConfigurationFolder.ProblemsAsync(Json.Good, environment: new(StringComparer.Ordinal) { ["FenceGateway:Shutdown:Delay"] = "1s" }))
            .ShouldHaveSingleItem().Path.ShouldBe("$.FenceGateway.Shutdown.Delay");
    }

    private static async Task ShouldBeOnlyProblemAsync(string json, string path, string message)
    {
        var problem = (await ConfigurationFolder.ProblemsAsync(json)).ShouldHaveSingleItem();
        problem.Path.ShouldBe(path);
        problem.Message.ShouldContain(message);
    }
}
