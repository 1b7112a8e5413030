using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Forwarding;

/// <summary>What a route makes of a path holds for the targets in WebDAV's headers as well: the service gets them as it
/// gets the request's.</summary>
public sealed class WebDavTargetTests
{
    private const string Token = "Fencing-Token: 33";

    [Theory]
    [InlineData(""" { "PathRemovePrefix": "/api" } """, "/files/a/1", "/files/a/2")]
    [InlineData(""" { "PathPrefix": "/v1" } """, "/v1/api/files/a/1", "/v1/api/files/a/2")]
    [InlineData(""" { "PathPattern": "/of/{folder}/all/{**rest}" } """, "/of/a/all/1", "/of/a/all/2")]
    [InlineData(""" { "PathRemovePrefix": "/api" }, { "PathPrefix": "/v1" } """, "/v1/files/a/1", "/v1/files/a/2")]
    [InlineData(""" { "RequestHeaderOriginalHost": "false" } """, "/api/files/a/1", "/api/files/a/2")]
    public async Task MoveOrCopy_OnATransformedRoute_TheDestinationIsTransformedToo(
        string transforms, string target, string destination)
    {
        await using var gateway = await StartAsync(transforms);
        foreach (var method in new[] { "MOVE", "COPY" })
        {
            string[] hosts = ["", "http://gateway.test", "http://gateway.test:80", "https://GATEWAY.test:443"];
            foreach (var host in hosts)
            {
                var entry = await SendAsync(gateway, method, $"Destination: {host}/api/files/a/2");
                (entry.Target, entry.Headers["Destination"].Single()).ShouldBe((target, destination), host);
            }
        }
    }

    [Fact]
    public async Task Move_ServiceHasABasePath_ItStandsBeforeTheDestinationToo()
    {
        await using var gateway = await StartAsync(""" { "PathRemovePrefix": "/api" } """, s => new Uri(s.Address, "base/"));
        var entry = await SendAsync(gateway, "MOVE", "Destination: http://gateway.test/api/files/a/b%20c?x=%20");
        entry.Target.ShouldBe("/base/files/a/1");
        entry.Headers["Destination"].ShouldBe(["/base/files/a/b%20c?x=%20"]);
    }

    [Fact]
    public async Task Move_ServiceSeesTheHostAndThePathOfTheClient_DestinationStaysAsItIs()
    {
        await using var gateway = await StartAsync(""" { "RequestHeaderOriginalHost": "true" } """);
        var entry = await SendAsync(gateway, "MOVE", "Destination: https://gateway.test/api/files/a/2");
        entry.Headers["Destination"].ShouldBe(["https://gateway.test/api/files/a/2"]);
    }

    [Theory]
    [InlineData("</api/files/a/1> (<urn:uuid:1>)", "</files/a/1> (<urn:uuid:1>)")]
    [InlineData(
        "<http://gateway.test/api/files/a/1> (<urn:uuid:1> [\"x)<y\"]) (Not <DAV:no-lock>) "
            + "<http://gateway.test:80/api/files/a/2> ([\"z\"])",
        "</files/a/1> (<urn:uuid:1> [\"x)<y\"]) (Not <DAV:no-lock>) </files/a/2> ([\"z\"])")]
    [InlineData("(</api/files/a/1>)", "(</api/files/a/1>)")]
    [InlineData("<http://other.test/api/files/a/1> (<urn:uuid:1>)", "<http://other.test/api/files/a/1> (<urn:uuid:1>)")]
    [InlineData("</elsewhere> (<urn:uuid:1>)", "</elsewhere> (<urn:uuid:1>)")]
    [InlineData("</api/files/a/1 (x)", "</api/files/a/1 (x)")]
    public async Task Condition_OnATransformedRoute_ItsTargetsAreTransformedToo(string condition, string expected)
    {
        await using var gateway = await StartAsync(""" { "PathRemovePrefix": "/api" } """);
        (await SendAsync(gateway, "PUT", $"If: {condition}")).Headers["If"].ShouldBe([expected]);
    }

    [Theory]
    [InlineData("/api/files/b/2")]
    [InlineData("/files/a/2")]
    [InlineData("http://gateway.test:81/api/files/a/2")]
    public async Task Move_ToAnotherResource_IsRefusedWhateverTheRouteMakesOfIt(string destination)
    {
        await using var gateway = await StartAsync(""" { "PathRemovePrefix": "/api" } """);
        var request = Request("MOVE", $"Destination: {destination}");
        var answer = await RawHttpClient.ExchangeAsync(gateway.Address.Port, request);
        answer.Status.ShouldBe(400);
        answer.Text.ShouldContain("cross-resource");
        gateway.Service.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task Move_OnAnOpenRoute_IsTransformedWhereItIsOnTheRoute()
    {
        await using var gateway = await FencedGateway.StartAsync(new GatewaySetup
        {
            Routes = """
                "dav": {
                  "ClusterId": "service", "Match": { "Path": "/dav/{**rest}" },
                  "Transforms": [ { "PathRemovePrefix": "/dav" } ]
                }
                """,
        });
        foreach (var (destination, expected) in new[]
        {
            ("http://gateway.test/dav/2", "/2"), ("http://other.test/dav/2", "http://other.test/dav/2"),
            ("/open/2", "/open/2"),
            ("/dav/a/../2", "/dav/a/../2"),
        })
        {
            var request = RawHttpClient.Head(
                "MOVE /dav/1 HTTP/1.1", "Host: gateway.test", $"Destination: {destination}");
            (await RawHttpClient.ExchangeAsync(gateway.Address.Port, request)).Status.ShouldBe(200);
            gateway.Service.Entries[^1].Headers["Destination"].ShouldBe([expected]);
        }
    }

    private static Task<FencedGateway> StartAsync(string transforms, Func<JournalService, Uri>? destination = null) =>
        FencedGateway.StartAsync(
            new GatewaySetup
            {
                Routes = $$"""
                    "files": {
                      "ClusterId": "service", "Match": { "Path": "/api/files/{folder}/{**rest}" },
                      "Metadata": { "FencingPolicy": "per-folder" }, "Transforms": [ {{transforms}} ]
                    }
                    """,
                Gateway = """
                    "FencingPolicies": {
                      "per-order": { "Resource": "orders/{id}" }, "per-folder": { "Resource": "files/{folder}" }
                    }
                    """,
            },
            destination);

    private static async Task<JournalEntry> SendAsync(FencedGateway gateway, string method, string header)
    {
        var answer = await RawHttpClient.ExchangeAsync(gateway.Address.Port, Request(method, header));
        answer.Status.ShouldBe(200, answer.Text);
        return gateway.Service.Entries[^1];
    }

    private static string Request(string method, string header) =>
        RawHttpClient.Head(
            $"{method} /api/files/a/1 HTTP/1.1", "Host: gateway.test", Token, "Content-Length: 0", header);
}
