using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.FunctionalTests.Idempotency;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.BadInput;

/// <summary>Whose answer it is can be told for every answer: the framework's own are the gateway's, the service's stay
/// as they are.</summary>
public sealed class FrameworkAnswerTests
{
    private static readonly GatewaySetup Setup = new()
    {
        Routes = """
            "few": { "ClusterId": "service", "Match": { "Path": "/few", "Methods": [ "GET", "PUT" ] } },
            "host": { "ClusterId": "service", "Match": { "Path": "/host", "Hosts": [ "elsewhere.test" ] } },
            "header": { "ClusterId": "service",
              "Match": { "Path": "/header", "Headers": [ { "Name": "X-Not-Sent", "Mode": "Exists" } ] } },
            "query": { "ClusterId": "service",
              "Match": { "Path": "/query", "QueryParameters": [ { "Name": "missing", "Mode": "Exists" } ] } },
            "small": { "ClusterId": "service", "Match": { "Path": "/small" }, "MaxRequestBodySize": 4 },
            "sticky": { "ClusterId": "sticky", "Match": { "Path": "/sticky" } },
            "retried": { "ClusterId": "sticky", "Match": { "Path": "/retried" },
              "Metadata": { "ResiliencePolicy": "again" } }
            """,
        Clusters = """
            "sticky": {
              "SessionAffinity": { "Enabled": true, "Policy": "HashCookie", "AffinityKeyName": "session",
                "FailurePolicy": "Return503Error" },
              "Destinations": { "a": { "Address": "http://127.0.0.1:1/" } } }
            """,
        Gateway = """ "ResiliencePolicies": { "again": { "Retry": { } } } """,
    };

    [Theory]
    [InlineData("GET", "/nowhere")]
    [InlineData("OPTIONS", "/nowhere")]
    [InlineData("GET", "/host")]
    [InlineData("GET", "/header")]
    [InlineData("GET", "/query")]
    public async Task NoRoute_404(string method, string path)
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);

        ShouldBeGateways(await SendAsync(gateway, method, path), 404, "Not Found", "destination_not_found");
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("DELETE")]
    [InlineData("PROPFIND")]
    public async Task NoRouteForTheMethod_405WithThoseThatThereAre(string method)
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);

        var answer = await SendAsync(gateway, method, "/few");

        ShouldBeGateways(answer, 405, "Method Not Allowed", "http_request_denied");
        answer.Headers["Allow"].ShouldBe("GET, PUT");
    }

    [Theory]
    [InlineData("/sticky")]
    [InlineData("/retried")]
    public async Task DestinationOfTheSessionIsGone_503(string path)
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);

        var answer = await SendAsync(gateway, "GET", path, ("Cookie", "session=0123456789abcdef"));

        ShouldBeGateways(answer, 503, "Service Unavailable", "destination_unavailable");
        answer.RetryAfter.ShouldBe(1);
        answer.Json.GetProperty("route").GetString().ShouldBe(path[1..]);
        answer.Json.GetProperty("detail").GetString().ShouldNotBeNull().ShouldContain("session");
    }

    [Fact]
    public async Task DestinationOfTheSessionIsGone_Head_503WithItsField()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);

        var answer = await SendAsync(gateway, "HEAD", "/sticky", ("Cookie", "session=0123456789abcdef"));

        answer.Status.ShouldBe(503);
        answer.Text.ShouldBeEmpty();
        answer.Headers["Proxy-Status"].ShouldStartWith("fencegateway; error=destination_unavailable");
    }

    [Fact]
    public async Task BodyTooLong_413()
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);

        foreach (var chunked in (bool[])[false, true])
        {
            var answer = await gateway.SendAsync(new Keyed { Path = "/small", Body = "too long", Chunked = chunked });
            ShouldBeGateways(answer, 413, "Content Too Large", "http_request_error");
        }
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(405)]
    [InlineData(409)]
    [InlineData(413)]
    [InlineData(429)]
    [InlineData(499)]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(599)]
    public async Task ServiceAnswersWithoutABody_StaysAsItIs(int status)
    {
        await using var gateway = await FencedGateway.StartAsync(Setup);
        gateway.Service.Script = _ => ServiceAction.Refuse(status);

        ShouldBeServices(await SendAsync(gateway, "GET", "/open/1"), status);
        ShouldBeServices(await SendAsync(gateway, "HEAD", "/open/1"), status);
        ShouldBeServices(await SendAsync(gateway, "PUT", "/orders/1", ("Fencing-Token", "1")), status);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(409)]
    [InlineData(500)]
    public async Task AnswerOfTheServiceIsReplayedWithoutABody_StaysAsItIs(int status)
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Service.Script = _ => ServiceAction.Refuse(status);
        ShouldBeServices(await gateway.PostAsync("k", path: "/other/1"), status);

        var replay = await gateway.PostAsync("k", path: "/other/1");

        ShouldBeServices(replay, status);
        replay.Headers["Idempotency-Replayed"].ShouldBe("true");
    }

    private static Task<Answer> SendAsync(
        FencedGateway gateway, string method, string path, params (string Name, string Value)[] headers) =>
        SendAsync(gateway, new HttpRequestMessage(new HttpMethod(method), path), headers);

    private static async Task<Answer> SendAsync(
        FencedGateway gateway, HttpRequestMessage request, (string Name, string Value)[] headers)
    {
        using (request)
        {
            foreach (var (name, value) in headers)
            {
                request.Headers.Add(name, value);
            }

            using var response = await gateway.Client.SendAsync(request);
            return await Answer.ReadAsync(response);
        }
    }

    private static void ShouldBeGateways(Answer answer, int status, string title, string error)
    {
        answer.ShouldBeProblem(status, "about:blank");
        answer.Json.GetProperty("title").GetString().ShouldBe(title);
        answer.Json.GetProperty("status").GetInt32().ShouldBe(status);
        answer.Headers["Proxy-Status"].ShouldBe($"fencegateway; error={error}; details=\"{title}\"");
        answer.Headers.ShouldContainKey("X-Correlation-Id");
    }

    private static void ShouldBeServices(Answer answer, int status)
    {
        answer.Status.ShouldBe(status);
        answer.Text.ShouldBeEmpty();
        answer.Headers.Keys.ShouldNotContain("Proxy-Status");
        answer.Headers.Keys.ShouldNotContain("Content-Type");
    }
}
