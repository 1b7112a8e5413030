using System.Net;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Chaos;

/// <summary>The switch of the real process, and what its log says.</summary>
public sealed class ChaosProcessTests
{
    [Theory]
    [InlineData("--allow-chaos", null, true)]
    [InlineData(null, "true", true)]
    [InlineData(null, "false", false)]
    [InlineData(null, null, false)]
    public async Task Process_Switch_DecidesAndTheLogSaysSo(string? option, string? variable, bool allowed)
    {
        using var folder = new TempFolder();
        await using var service = await JournalService.StartAsync();
        var setup = new GatewaySetup
        {
            Root = """ "Serilog": { "MinimumLevel": { "Default": "Information" } } """,
            Gateway = """ "Chaos": { "Enabled": true, "Rules": { "teapot": { "Route": "open", "InjectionRate": 1, "Outcome": 418 } } } """,
        };
        await File.WriteAllTextAsync(folder.File("gateway.json"), setup.Render(service.Address));
        await using var gateway = await GatewayProcess.StartAsync(new()
        {
            ConfigFile = folder.File("gateway.json"),
            Arguments = option is null ? [] : [option],
            Environment = new Dictionary<string, string?> { ["FENCEGATEWAY_ALLOW_CHAOS"] = variable },
        });
        using var client =
            new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = gateway.Address };

        using var answer = await client.GetAsync("/open/1");

        answer.StatusCode.ShouldBe(allowed ? (HttpStatusCode)418 : HttpStatusCode.OK);
        if (allowed)
        {
            await gateway.WaitForLineAsync(l => Warns(l, "CHAOS IS ON"));
            await gateway.WaitForLineAsync(
                l => Warns(l, "Chaos rule teapot injects outcome into GET /open/1 on route open"));
        }
        else
        {
            await gateway.WaitForLineAsync(l => Warns(l, "NOTHING is injected"));
        }
    }

    private static bool Warns(string line, string text) =>
        line.Contains("\"level\":\"Warning\"", StringComparison.Ordinal)
            && line.Contains(text, StringComparison.Ordinal);
}
