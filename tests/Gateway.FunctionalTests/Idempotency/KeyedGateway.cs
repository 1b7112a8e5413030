using System.Net.Http.Headers;
using System.Text;
using FenceGateway.Gateway.FunctionalTests.Fence;

namespace FenceGateway.Gateway.FunctionalTests.Idempotency;

/// <summary>
/// A gateway with idempotency on its fenced route (<c>/orders/{id}</c>) and on two that are not fenced (<c>/plain</c>,
/// <c>/other</c>).
/// </summary>
internal static class KeyedGateway
{
    /// <summary>
    /// The configuration; <paramref name="options"/> are the members of the policy's Idempotency section.
    /// </summary>
    public static GatewaySetup Setup(string options = "", string mechanisms = "", string gateway = "") => new()
    {
        Gateway = $$"""
            "ResiliencePolicies": { "keys": { "Idempotency": { {{options}} } {{mechanisms}} } } {{gateway}}
            """,
        Route = """ "Metadata": { "FencingPolicy": "per-order", "ResiliencePolicy": "keys" } """,
        Routes = $$"""
            "plain": { "ClusterId": "service", "Match": { "Path": "/plain/{**rest}" }, "Metadata": { "ResiliencePolicy": "keys" },
              "Transforms": [
                { "ResponseHeader": "X-Answer", "Set": "kept", "When": "Always" },
                { "ResponseHeader": "Set-Cookie", "Set": "session=secret", "When": "Always" } ] },
            "other": { "ClusterId": "service", "Match": { "Path": "/other/{**rest}" }, "Metadata": { "ResiliencePolicy": "keys" } }
            """,
    };

    public static Task<FencedGateway> StartAsync(string options = "", string mechanisms = "", string gateway = "") =>
        FencedGateway.StartAsync(Setup(options, mechanisms, gateway));

    /// <summary>Sends a write with a key to a route that is not fenced.</summary>
    public static Task<Answer> PostAsync(
        this FencedGateway gateway, string? key, string body = "body", string path = "/plain/1") =>
        gateway.SendAsync(new Keyed { Key = key, Body = body, Path = path });

    /// <summary>Sends a write with a token and a key to the fenced route.</summary>
    public static Task<Answer> PostFencedAsync(this FencedGateway gateway, long token, string key) =>
        gateway.SendAsync(new Keyed { Key = key, Path = "/orders/1", Headers = [("Fencing-Token", $"{token}")] });

    public static async Task<Answer> SendAsync(this FencedGateway gateway, Keyed keyed)
    {
        using var request = new HttpRequestMessage(keyed.Method, keyed.Path);
        if (keyed.Method != HttpMethod.Get)
        {
            request.Content = new StringContent(
                keyed.Body, Encoding.UTF8, MediaTypeHeaderValue.Parse(keyed.ContentType));
            request.Headers.TransferEncodingChunked = keyed.Chunked ? true : null;
        }

        foreach (var (name, value) in keyed.Headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (keyed.Key is { } key)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        }

        using var response = await gateway.Client.SendAsync(request);
        return await Answer.ReadAsync(response);
    }

    public static void ShouldBeReplay(this Answer answer, Answer first)
    {
        answer.ShouldBeServices(first.Status);
        answer.Text.ShouldBe(first.Text);
        answer.Headers.GetValueOrDefault("Idempotency-Replayed").ShouldBe("true");
        first.Headers.Keys.ShouldNotContain("Idempotency-Replayed");
    }
}

/// <summary>A request.</summary>
internal sealed record Keyed
{
    public HttpMethod Method { get; init; } = HttpMethod.Post;

    public string Path { get; init; } = "/plain/1";

    public string? Key { get; init; }

    public string Body { get; init; } = "body";

    public string ContentType { get; init; } = "text/plain";

    public bool Chunked { get; init; }

    public (string Name, string Value)[] Headers { get; init; } = [];
}
