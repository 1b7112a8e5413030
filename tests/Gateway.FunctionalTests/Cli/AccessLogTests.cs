using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Cli;

/// <summary>Which requests are logged, and what becomes of a process whose log nobody reads.</summary>
public sealed class AccessLogTests
{
    /// <summary>Its standard output is a pipe that has a reader, who does not read.</summary>
    private static readonly string[] Unread = ["bash", "-c", """mkfifo "$0" && exec 3<>"$0" && exec "$@" >&3"""];

    [Fact]
    public async Task SamplingRatio_Zero_RefusalsAndErrorsAreLoggedAllTheSame()
    {
        using var folder = new TempFolder();
        await using var service = await JournalService.StartAsync();
        service.Script = e => e.Target == "/open/failing" ? ServiceAction.Refuse(500) : ServiceAction.Apply();
        await using var gateway = await GatewayProcess.StartAsync(
            await OptionsAsync(folder, service, """, "AccessLog": { "SamplingRatio": 0 } """));

        await SendAsync(gateway, "/open/1", "ordinary");
        await SendAsync(gateway, "/orders/1", "admitted", 34);
        await SendAsync(gateway, "/orders/1", "stale", 33);
        await SendAsync(gateway, "/orders/1", "no-token");
        await SendAsync(gateway, "/nowhere", "no-route");
        await SendAsync(gateway, "/open/failing", "service-failed");
        await gateway.WaitForLineAsync(l => l.Contains("service-failed", StringComparison.Ordinal));

        gateway.Log.Where(l => l.TryGetProperty("correlationId", out _))
            .Select(l => l.GetProperty("correlationId").GetString())
            .ShouldBe(["stale", "no-token", "no-route", "service-failed"]);
    }

    [Fact]
    public async Task SamplingRatio_Reloaded_IsInForceWithoutARestart()
    {
        using var folder = new TempFolder();
        await using var service = await JournalService.StartAsync();
        var options = await OptionsAsync(folder, service, """, "AccessLog": { "SamplingRatio": 0 } """);
        await using var gateway = await GatewayProcess.StartAsync(options);
        await SendAsync(gateway, "/open/1", "before");

        await File.WriteAllTextAsync(folder.File("new.json"), Setup("").Render(service.Address));
        File.Move(folder.File("new.json"), options.ConfigFile, overwrite: true);
        await gateway.WaitForLineAsync(l => l.Contains("reloaded", StringComparison.OrdinalIgnoreCase));
        await SendAsync(gateway, "/open/1", "after");
        await gateway.WaitForLineAsync(l => l.Contains("\"after\"", StringComparison.Ordinal));

        gateway.Output.ShouldNotContain(l => l.Contains("\"before\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Stop_NobodyReadsTheLog_ServesAndEndsInGoodOrder()
    {
        using var folder = new TempFolder();
        await using var service = await JournalService.StartAsync();
        var options = await OptionsAsync(
            folder, service, """, "Shutdown": { "Timeout": "01:00:00" } """, [.. Unread, folder.File("unread")]);
        await using var gateway = await GatewayProcess.StartAsync(options);

        // Many times what a pipe holds.
        var tenant = new string('t', 120);
        using var client = FencedGateway.NewClient(gateway.Address);
        for (var i = 0; i < 1000; i++)
        {
            (await SendAsync(client, "/open/1", $"{tenant}-{i}")).ShouldBe(200);
        }

        (await gateway.TerminateAsync()).ShouldBe(0);
    }

    private static GatewaySetup Setup(string gateway) => new()
    {
        Gateway = """ "Limits": { } """ + gateway,
        Store = """ "Provider": "Memory" """,
        Root = """ "Serilog": { "MinimumLevel": { "Default": "Information" } } """,
    };

    private static async Task<GatewayProcessOptions> OptionsAsync(
        TempFolder folder, JournalService service, string gateway, IReadOnlyList<string>? through = null)
    {
        await File.WriteAllTextAsync(folder.File("gateway.json"), Setup(gateway).Render(service.Address));
        return new GatewayProcessOptions { ConfigFile = folder.File("gateway.json"), Through = through ?? [] };
    }

    private static async Task<int> SendAsync(
        GatewayProcess gateway, string path, string correlation, long? token = null)
    {
        using var client = FencedGateway.NewClient(gateway.Address);
        return await SendAsync(client, path, correlation, token);
    }

    private static async Task<int> SendAsync(HttpClient client, string path, string correlation, long? token = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, path) { Content = new StringContent("x") };
        request.Headers.Add("X-Correlation-Id", correlation);
        if (token is not null)
        {
            request.Headers.Add("Fencing-Token", $"{token}");
        }

        using var response = await client.SendAsync(request);
        return (int)response.StatusCode;
    }
}
