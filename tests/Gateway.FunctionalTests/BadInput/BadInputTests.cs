using System.Text.Json;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.BadInput;

/// <summary>Sends requests byte by byte to a gateway of the test's own.</summary>
public abstract class BadInputTests(
    object? policy = null, params (string Id, System.Text.Json.Nodes.JsonObject Route)[] routes)
    : IAsyncLifetime
{
    /// <summary>What the gateway answers itself where it cannot tell which resource a request names.</summary>
    protected const string Ambiguous = "ambiguous-target";
    protected const string Malformed = "fencing-token-malformed";
    protected const string Required = "fencing-token-required";
    protected const string Stale = "fencing-token-stale";

    private const string Host = "gateway.test";

    protected TestGateway Gateway { get; private set; } = null!;

    protected JournalService Service => Gateway.Service;

    public async ValueTask InitializeAsync() => Gateway = await TestGateway.StartAsync(policy, routes);

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>A request without a body, with a Host unless <paramref name="headers"/> has one.</summary>
    protected static string Request(string method, string target, params ReadOnlySpan<string> headers) =>
        RawHttpClient.Head($"{method} {target} HTTP/1.1", WithDefaults(headers));

    protected Task<RawHttpResponse> SendAsync(string method, string target, params ReadOnlySpan<string> headers) =>
        SendAsync(Request(method, target, headers));

    protected Task<RawHttpResponse> SendAsync(string request) => RawHttpClient.ExchangeAsync(Gateway.Port, request);

    /// <summary>The request is forwarded: 200 from the service, once. What arrived there.</summary>
    protected async Task<JournalEntry> PassesAsync(string request, JournalService? service = null)
    {
        service ??= Service;
        var before = service.Entries.Count;
        var response = await SendAsync(request);
        response.Status.ShouldBe(200, response.ToString());
        response.Value("Proxy-Status").ShouldBeNull();
        service.Entries.Count.ShouldBe(before + 1);
        return service.Entries[^1];
    }

    /// <summary>The gateway answers itself, and nothing reaches a service.</summary>
    protected async Task<RawHttpResponse> RefusedAsync(string request, int status, string name)
    {
        var before = Arrived;
        var response = await SendAsync(request);
        ShouldBeProblem(response, status, name);
        Arrived.ShouldBe(before, "something reached the service");
        return response;
    }

    /// <summary>
    /// The listener refuses the bytes before the gateway sees a request: 400, no body, connection closed.
    /// </summary>
    protected async Task RejectedByListenerAsync(string request, int status = 400)
    {
        var before = Arrived;
        await using var client = await RawHttpClient.ConnectAsync(Gateway.Port);
        await client.SendAsync(request);
        var response = await client.ReadResponseAsync();
        response.Status.ShouldBe(status, response.ToString());
        response.Body.Length.ShouldBe(0, response.ToString());
        response.Value("Proxy-Status").ShouldBeNull();
        await client.WaitForCloseAsync();
        Arrived.ShouldBe(before, "something reached the service");
    }

    protected static void ShouldBeProblem(RawHttpResponse response, int status, string name)
    {
        response.Status.ShouldBe(status, response.ToString());
        response.Value("Content-Type").ShouldBe("application/problem+json");
        response.Value("Proxy-Status").ShouldNotBeNull().ShouldEndWith($"; details=\"{name}\"");
        using var problem = JsonDocument.Parse(response.Text);
        problem.RootElement.GetProperty("type").GetString().ShouldBe($"urn:problem-type:fencegateway:{name}");
        problem.RootElement.GetProperty("status").GetInt32().ShouldBe(status);
    }

    private int Arrived => Service.Entries.Count + Gateway.Open.Entries.Count;

    private static string[] WithDefaults(ReadOnlySpan<string> headers)
    {
        var given = headers.ToArray();
        return given.Any(h => h.StartsWith("Host:", StringComparison.OrdinalIgnoreCase))
            ? given
            : [$"Host: {Host}", .. given];
    }
}
