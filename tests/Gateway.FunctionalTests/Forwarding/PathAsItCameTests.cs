using System.Text.Json.Nodes;
using FenceGateway.Gateway.FunctionalTests.BadInput;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Forwarding;

/// <summary>An escaped path arrives at the service of an open route as the client has sent it.</summary>
public sealed class PathAsItCameTests
{
    [Theory]
    [InlineData("/open/group%2Fproject")]
    [InlineData("/open/group%2fproject/issues/1")]
    [InlineData("/open/@scope%2Fname?x=%2F&y=a+b")]
    [InlineData("/open/a%252Fb")]
    [InlineData("/open/a%2Fb%252Fc")]
    [InlineData("/open/a%2F/")]
    [InlineData("/open/100%25%2F")]
    [InlineData("/open/a%20b%2Fc%3Fd%23e")]
    [InlineData("/open/caf%C3%A9%2F1")]
    [InlineData("/open/%FF%2F")]
    [InlineData("/open/a%5Cb%3Bc")]
    [InlineData("/open/a//b%2Fc")]
    public async Task OpenRoute_EscapedPath_ArrivesAsItCame(string target)
    {
        await using var gateway = await StartAsync("");

        (await SendAsync(gateway, target)).ShouldBe(target);
        (await SendAsync(gateway, $"http://test{target}")).ShouldBe(target);
    }

    [Theory]
    [InlineData("""{ "PathRemovePrefix": "/open" }""", "/open/a%2Fb", "/a%2Fb")]
    [InlineData("""{ "PathPrefix": "/v1" }""", "/open/a%2Fb", "/v1/open/a%2Fb")]
    [InlineData("""{ "PathRemovePrefix": "/open" }, { "PathPrefix": "/v 1" }""", "/open/a%2Fb/", "/v%201/a%2Fb/")]
    [InlineData("""{ "PathRemovePrefix": "/open" }, { "QueryValueParameter": "k", "Set": "v" }""", "/open/a%2Fb", "/a%2Fb?k=v")]
    [InlineData("""{ "PathSet": "/fixed" }""", "/open/a%2Fb", "/fixed")]
    [InlineData("""{ "PathPattern": "/v1/{**rest}" }""", "/open/a%2Fb/", "/v1/a%2Fb/")]
    public async Task OpenRoute_WithAPathTransform_KeepsWhatItLeaves(string transforms, string target, string arrives)
    {
        await using var gateway = await StartAsync(transforms);

        (await SendAsync(gateway, target)).ShouldBe(arrives);
    }

    /// <summary>Of these <c>validate</c> warns: YARP makes the path of decoded values.</summary>
    [Theory]
    [InlineData("/v1/{id}/x/{**rest}", "/item/a%2Fb/c%2Fd/", "/v1/a%252Fb/x/c%2Fd/")]
    [InlineData("/v1/{id}/{**rest}", "/item/5%2F6/", "/v1/5%252F6")]
    [InlineData("/v1/{id}", "/item/5/", "/v1/5")]
    public async Task OpenRoute_WithAPathPatternOfMore_LosesWhatWasEscaped(
        string pattern, string target, string arrives)
    {
        await using var gateway = await StartAsync($$"""{ "PathPattern": "{{pattern}}" }""");

        (await SendAsync(gateway, target)).ShouldBe(arrives);
    }

    /// <summary>What has no escape, or one that means nothing else, is as it was before.</summary>
    [Theory]
    [InlineData("/open/a", "/open/a")]
    [InlineData("/open/a\"b%2Fc", "/open/a%22b%252Fc")]
    [InlineData("/open/x/../a", "/open/a")]
    [InlineData("/open/x/%2e%2e/a%20b", "/open/a%20b")]
    [InlineData("/open/a\\b", "/open/a%5Cb")]
    public async Task OpenRoute_OtherPaths_AreYarps(string target, string arrives)
    {
        await using var gateway = await StartAsync("");

        (await SendAsync(gateway, target)).ShouldBe(arrives);
    }

    [Theory]
    [InlineData("/orders/a%2Fb")]
    [InlineData("/orders/a%252Fb")]
    [InlineData("/near/..%2Forders%2F1")]
    public async Task FencedService_EscapedSlash_IsStillRefused(string target)
    {
        await using var gateway = await StartAsync("");

        var answer = await RawHttpClient.ExchangeAsync(
            gateway.Port,
            RawHttpClient.Head($"PUT {target} HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: 0"));

        answer.Status.ShouldBe(400);
        gateway.Service.Entries.ShouldBeEmpty();
    }

    /// <summary>The open route leads to a service of its own, which nothing fences.</summary>
    private static Task<TestGateway> StartAsync(string transforms)
    {
        var open = TestGateway.Route("/open/{**rest}", fenced: false, cluster: "open");
        open["Transforms"] = JsonNode.Parse($"[ {transforms} ]");
        var item = open.DeepClone().AsObject();
        item["Match"]!["Path"] = "/item/{id}/{**rest}";
        var near = TestGateway.Route("/near/{**rest}", fenced: false, cluster: "again");
        return TestGateway.StartAsync(policy: null, ("open", open), ("item", item), ("near", near));
    }

    private static async Task<string> SendAsync(TestGateway gateway, string target)
    {
        var answer = await RawHttpClient.ExchangeAsync(
            gateway.Port, RawHttpClient.Head($"PUT {target} HTTP/1.1", "Host: test", "Content-Length: 0"));
        answer.Status.ShouldBe(200);
        return gateway.Open.Entries[^1].Target;
    }
}
