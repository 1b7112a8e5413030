using System.Text.Json;
using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Nginx;

/// <summary>
/// A real service that knows nothing of tokens: nginx with WebDAV. Its files are looked at on the disk. One route names
/// a resource by file (<c>/orders/{id}</c>), the other by folder (<c>/files/{folder}/…</c>).
/// </summary>
public sealed class WebDavTests : IAsyncLifetime
{
    private const int Created = 201;
    private const int NoContent = 204;

    private NginxServer _nginx = null!;
    private GatewayFiles _files = null!;
    private GatewayProcess _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        _nginx = await NginxServer.StartAsync();
        _files = new GatewayFiles(_nginx.Address, AddFolders);
        _gateway = await GatewayProcess.StartAsync(new GatewayProcessOptions { ConfigFile = _files.ConfigFile });
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _files.Dispose();
        await _nginx.DisposeAsync();
    }

    [Fact]
    public async Task Put_LateHolder_IsRefusedAndTheFileIsUnchanged()
    {
        (await PutAsync("/orders/42", 34, "new holder")).Status.ShouldBe(Created);

        var put = await PutAsync("/orders/42", 33, "late");
        var delete = await SendAsync("DELETE", "/orders/42", 33);

        ProblemOf(put).ShouldBe((409, "fencing-token-stale"));
        ProblemOf(delete).ShouldBe((409, "fencing-token-stale"));
        ContentOf("orders/42").ShouldBe("new holder");
    }

    [Fact]
    public async Task Put_SameAndNewerHolder_AreApplied()
    {
        (await PutAsync("/orders/42", 34, "first")).Status.ShouldBe(Created);
        (await PutAsync("/orders/42", 34, "second")).Status.ShouldBe(NoContent);
        ContentOf("orders/42").ShouldBe("second");

        (await SendAsync("DELETE", "/orders/42", 35)).Status.ShouldBe(NoContent);
        ContentOf("orders/42").ShouldBeNull();
        ProblemOf(await PutAsync("/orders/42", 34, "late")).ShouldBe((409, "fencing-token-stale"));
        ContentOf("orders/42").ShouldBeNull();
    }

    [Theory]
    [InlineData("MOVE", true)]
    [InlineData("MOVE", false)]
    [InlineData("COPY", true)]
    [InlineData("COPY", false)]
    public async Task MoveOrCopy_DestinationIsAnotherResource_IsRefusedAndNothingChanges(string method, bool absolute)
    {
        (await PutAsync("/orders/42", 34, "forty-two")).Status.ShouldBe(Created);
        (await PutAsync("/orders/43", 7, "forty-three")).Status.ShouldBe(Created);

        var existing = await SendAsync(method, "/orders/42", 34, Destination("/orders/43", absolute), "Overwrite: T");
        var missing = await SendAsync(method, "/orders/42", 34, Destination("/orders/44", absolute));
        var unfenced = await SendAsync(method, "/orders/42", 34, Destination("/elsewhere", absolute));

        ProblemOf(existing).ShouldBe((400, "cross-resource"));
        ProblemOf(missing).ShouldBe((400, "cross-resource"));
        ProblemOf(unfenced).ShouldBe((400, "cross-resource"));
        ContentOf("orders/42").ShouldBe("forty-two");
        ContentOf("orders/43").ShouldBe("forty-three");
        ContentOf("orders/44").ShouldBeNull();
        ContentOf("elsewhere").ShouldBeNull();
    }

    [Fact]
    public async Task Move_FolderOfAnotherResourceOrOtherHost_IsRefused()
    {
        (await PutAsync("/files/a/1", 34, "one")).Status.ShouldBe(Created);

        ProblemOf(await SendAsync("MOVE", "/files/a/1", 34, "Destination: /files/b/1")).ShouldBe(
            (400, "cross-resource"));
        ProblemOf(await SendAsync("MOVE", "/files/a/1", 34, "Destination: http://elsewhere.test/files/a/2"))
            .ShouldBe((400, "cross-resource"));
        ProblemOf(await SendAsync("MOVE", "/files/a/1", 34, "Destination: /files/a/../b/1")).ShouldBe(
            (400, "cross-resource"));
        ProblemOf(await SendAsync("MOVE", "/files/a/1", 34)).ShouldBe((400, "cross-resource"));

        ContentOf("files/a/1").ShouldBe("one");
        Directory.Exists(Path.Combine(_nginx.Root, "files", "b")).ShouldBeFalse();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MoveOrCopy_WithinOneResource_Works(bool absolute)
    {
        (await PutAsync("/files/a/1", 34, "one")).Status.ShouldBe(Created);

        (await SendAsync("COPY", "/files/a/1", 34, Destination("/files/a/2", absolute))).Status.ShouldBe(NoContent);
        (await SendAsync("MOVE", "/files/a/2", 34, Destination("/files/a/3", absolute))).Status.ShouldBe(NoContent);

        ContentOf("files/a/1").ShouldBe("one");
        ContentOf("files/a/2").ShouldBeNull();
        ContentOf("files/a/3").ShouldBe("one");
        ProblemOf(await SendAsync("MOVE", "/files/a/3", 33, Destination("/files/a/4", absolute)))
            .ShouldBe((409, "fencing-token-stale"));
        ContentOf("files/a/3").ShouldBe("one");
    }

    [Theory]
    [InlineData("")]
    [InlineData("http://gateway.test")]
    [InlineData("http://gateway.test:80")]
    [InlineData("https://gateway.test")]
    public async Task MoveOrCopy_RouteRemovesAPrefixAndHasAnotherHost_WorksWhereTheFenceHasLooked(string host)
    {
        string[] headers = ["Host: gateway.test", "Fencing-Token: 34", "Content-Length: 0"];
        (await SendAsync(RawHttpClient.Head("PUT /api/shared/a/1 HTTP/1.1", headers))).Status.ShouldBe(Created);

        (await SendAsync(RawHttpClient.Head("COPY /api/shared/a/1 HTTP/1.1", [.. headers, "Destination: "
            + $"{host}/api/shared/a/2"])))
            .Status.ShouldBe(NoContent);
        (await SendAsync(RawHttpClient.Head("MOVE /api/shared/a/2 HTTP/1.1", [.. headers, "Destination: "
            + $"{host}/api/shared/a/3"])))
            .Status.ShouldBe(NoContent);
        ProblemOf(
            await SendAsync(
                RawHttpClient.Head("MOVE /api/shared/a/3 HTTP/1.1", [.. headers, $"Destination: {host}/shared/a/4"])))
            .ShouldBe((400, "cross-resource"));

        Directory.GetFiles(Path.Combine(_nginx.Root, "shared", "a")).Select(Path.GetFileName).Order().ShouldBe(
            ["1", "3"]);
        Directory.Exists(Path.Combine(_nginx.Root, "api")).ShouldBeFalse();
    }

    [Fact]
    public async Task Mkcol_IsAWrite()
    {
        (await PutAsync("/files/a/1", 34, "one")).Status.ShouldBe(Created);

        ProblemOf(await SendAsync("MKCOL", "/files/a/late/", 33)).ShouldBe((409, "fencing-token-stale"));
        ProblemOf(await SendAsync("MKCOL", "/files/a/nobody/", null)).ShouldBe((428, "fencing-token-required"));
        (await SendAsync("MKCOL", "/files/a/sub/", 35)).Status.ShouldBe(Created);

        Directory.GetDirectories(Path.Combine(_nginx.Root, "files", "a")).Select(Path.GetFileName).ShouldBe(["sub"]);
        ProblemOf(await PutAsync("/files/a/1", 34, "late")).ShouldBe((409, "fencing-token-stale"));
    }

    [Fact]
    public async Task Get_FileOfAnotherHolder_NeedsNoToken()
    {
        (await PutAsync("/orders/42", 34, "new holder")).Status.ShouldBe(Created);

        var get = await SendAsync("GET", "/orders/42", null);

        get.Status.ShouldBe(200);
        get.Text.ShouldBe("new holder");
        ProblemOf(await SendAsync("GET", "/orders/42", 33)).ShouldBe((409, "fencing-token-stale"));
    }

    private static void AddFolders(JsonObject json)
    {
        var route = json["ReverseProxy"]!["Routes"]!["orders"]!.DeepClone().AsObject();
        route["Match"]!["Path"] = "/files/{folder}/{**rest}";
        route["Metadata"]!["FencingPolicy"] = "per-folder";

        // nginx compares a full Destination with the Host that it sees.
        route["Transforms"] = new JsonArray(new JsonObject { ["RequestHeaderOriginalHost"] = "true" });
        json["ReverseProxy"]!["Routes"]!["files"] = route;
        route = route.DeepClone().AsObject();
        route["Match"]!["Path"] = "/api/shared/{folder}/{**rest}";
        route["Transforms"] = new JsonArray(new JsonObject { ["PathRemovePrefix"] = "/api" });
        json["ReverseProxy"]!["Routes"]!["shared"] = route;
        json["FenceGateway"]!["FencingPolicies"]!["per-folder"] = new JsonObject { ["Resource"] = "files/{folder}" };
    }

    private static (int Status, string? Problem) ProblemOf(RawHttpResponse response)
    {
        if (response.Value("Content-Type") != "application/problem+json")
        {
            return (response.Status, null);
        }

        using var json = JsonDocument.Parse(response.Body);
        return (
            response.Status,
            json.RootElement.GetProperty("type").GetString()?.Replace("urn:problem-type:fencegateway:", ""));
    }

    private string Destination(string path, bool absolute) =>
        $"Destination: {(absolute ? _gateway.Address.GetLeftPart(UriPartial.Authority) : "")}{path}";

    private string? ContentOf(string name)
    {
        var file = Path.Combine(_nginx.Root, name);
        return File.Exists(file) ? File.ReadAllText(file) : null;
    }

    private Task<RawHttpResponse> PutAsync(string path, long token, string text) => SendAsync(
        RawHttpClient.Head($"PUT {path} HTTP/1.1", Host, $"Fencing-Token: {token}", $"Content-Length: {text.Length}")
            + text);

    private Task<RawHttpResponse> SendAsync(string method, string path, long? token, params string[] headers)
    {
        string[] all = [Host, .. token is null ? Array.Empty<string>() : [$"Fencing-Token: {token}"], .. headers];
        return SendAsync(RawHttpClient.Head($"{method} {path} HTTP/1.1", all));
    }

    private string Host => $"Host: 127.0.0.1:{_gateway.Port}";

    private Task<RawHttpResponse> SendAsync(string request) => RawHttpClient.ExchangeAsync(_gateway.Port, request);
}
