using System.Net;
using System.Text.Json;

namespace FenceGateway.Gateway.FunctionalTests.BadInput;

/// <summary>The same over HTTP/2, with prior knowledge.</summary>
public sealed class Http2Tests() : BadInputTests(
    new { Resource = "{host}/{id}", HeaderAliases = new[] { "X-Fencing-Token" } })
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });

    [Theory]
    [InlineData("5")]
    [InlineData("9223372036854775807")]
    public async Task Token_WellFormed_ArrivesOnce(string token)
    {
        using var response = await SendAsync("PUT", "/orders/1", ("fencing-token", token));
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        response.Version.ShouldBe(HttpVersion.Version20);
        Service.Entries.ShouldHaveSingleItem().Headers["Fencing-Token"].ShouldBe([token]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("05")]
    [InlineData("5, 6")]
    [InlineData("5 6")]
    [InlineData("0x5")]
    [InlineData("\"5\"")]
    [InlineData("9223372036854775808")]
    public async Task Token_Malformed_Is400(string token) =>
        await RefusedAsync(400, Malformed, "PUT", "/orders/1", ("Fencing-Token", token));

    [Fact]
    public async Task Token_TwoFields_Is400()
    {
        await RefusedAsync(400, Malformed, "PUT", "/orders/1", ("Fencing-Token", "5"), ("X-Fencing-Token", "5"));
        await RefusedAsync(400, Malformed, "PUT", "/orders/1", ("Fencing-Token", "5"), ("Fencing_Token", "5"));
        await RefusedAsync(400, Malformed, "PUT", "/orders/1", ("Fencing-Token", "5"), ("Fencing-Token", "6"));
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("FOO")]
    public async Task Token_Missing_Is428(string method) => await RefusedAsync(428, Required, method, "/orders/1");

    [Theory]
    [InlineData("//orders/1")]
    [InlineData("/orders//1")]
    [InlineData("/orders/1%2F2")]
    [InlineData("/orders/1;v=2")]
    [InlineData("/orders/1%252F")]
    [InlineData("/orders/%C0%AF")]
    [InlineData("/x/..%2Forders/1")]
    public async Task Target_Ambiguous_Is400(string target) =>
        await RefusedAsync(400, Ambiguous, "PUT", target, ("Fencing-Token", "5"));

    [Fact]
    public async Task Authority_AnotherSpelling_NamesTheSameResource()
    {
        (await SendAsync("PUT", "/orders/1", ("Host", "gateway.test"), ("Fencing-Token", "5"))).StatusCode.ShouldBe(
            HttpStatusCode.OK);
        await RefusedAsync(409, Stale, "PUT", "/orders/%31", ("Host", "GATEWAY.test.:80"), ("Fencing-Token", "4"));
    }

    [Fact]
    public async Task ExtendedConnect_Is403()
    {
        var before = Service.Entries.Count;
        using var request = new HttpRequestMessage(
            HttpMethod.Connect, new Uri($"http://127.0.0.1:{Gateway.Http2Port}/orders/1"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Protocol = "websocket";
        request.Headers.TryAddWithoutValidation("Fencing-Token", "5");
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        response.Headers.GetValues("Proxy-Status").Single().ShouldContain("upgrade-not-fenced");
        Service.Entries.Count.ShouldBe(before);
    }

    private async Task RefusedAsync(
        int status, string name, string method, string target, params (string Name, string Value)[] headers)
    {
        var before = Service.Entries.Count;
        using var response = await SendAsync(method, target, headers);
        var text = await response.Content.ReadAsStringAsync();
        ((int)response.StatusCode).ShouldBe(status, text);
        response.Headers.GetValues("Proxy-Status").Single().ShouldEndWith($"; details=\"{name}\"");
        JsonDocument.Parse(text).RootElement.GetProperty("type").GetString().ShouldBe(
            $"urn:problem-type:fencegateway:{name}");
        Service.Entries.Count.ShouldBe(before, "something reached the service");
    }

    private async Task<HttpResponseMessage> SendAsync(
        string method, string target, params (string Name, string Value)[] headers)
    {
        // As it is: HttpClient would tidy the path up otherwise.
        var address = new Uri(
            $"http://127.0.0.1:{Gateway.Http2Port}{target}",
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(new HttpMethod(method), address)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value).ShouldBeTrue();
        }

        return await _client.SendAsync(request);
    }
}
