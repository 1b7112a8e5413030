using System.Text.Json;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>What the real process writes on its standard output: one JSON object a line.</summary>
public sealed class RequestLogTests
{
    private static readonly string[] Common =
        ["timestamp", "level", "message", "messageTemplate", "correlationId", "tenantId", "route", "latencyMs", "traceId"];

    [Fact]
    public async Task Lines_OfRequests_HaveEveryFieldAndEachNameOnce()
    {
        using var folder = new TempFolder();
        await using var service = await JournalService.StartAsync();
        var setup = new GatewaySetup { Root = """ "Serilog": { "MinimumLevel": { "Default": "Information" } } """ };
        await File.WriteAllTextAsync(folder.File("gateway.json"), setup.Render(service.Address));
        await using var gateway = await GatewayProcess.StartAsync(new() { ConfigFile = folder.File("gateway.json") });

        var admitted = await PutAsync(gateway, "/orders/1", 34, "c-1");
        var stale = await PutAsync(gateway, "/orders/1", 33, "c-2");
        var open = await PutAsync(gateway, "/open/1", 33, "c-3");
        service.Script = _ => ServiceAction.Reset(applied: false);
        _ = await PutAsync(gateway, "/orders/2", 5, "c-4");

        Fields(admitted, Common).ShouldBe(["Information", "c-1", "tenant-7", "orders"]);
        Fenced(admitted).ShouldBe(("admitted", "orders/1", 34));
        Fenced(stale).ShouldBe(("stale", "orders/1", 33));
        stale.GetProperty("status").GetInt32().ShouldBe(409);
        Fields(open, Common).ShouldBe(["Information", "c-3", "tenant-7", "open"]);
        service.Script = _ => ServiceAction.Reset(applied: false);
        var broken = await PutAsync(gateway, "/open/2", 33, "c-5");
        broken.GetProperty("outcome").GetString().ShouldBe("upstream_unreachable", "the log tells whose answer it was");
        gateway.Output.ShouldContain(l => l.Contains("ForwardingError", StringComparison.Ordinal));
        foreach (var line in gateway.Output.Where(l => l.StartsWith('{')))
        {
            using var json = JsonDocument.Parse(line, new JsonDocumentOptions { AllowDuplicateProperties = false });
            json.RootElement.GetProperty("message").GetString().ShouldNotBeNullOrEmpty();
        }
    }

    [Fact]
    public async Task ReportMode_WhatWouldBeRefused_IsLogged()
    {
        using var folder = new TempFolder();
        await using var service = await JournalService.StartAsync();
        var setup = new GatewaySetup
        {
            Policy = """ "Mode": "Report" """,
            Root = """ "Serilog": { "MinimumLevel": { "Default": "Information" } } """,
        };
        await File.WriteAllTextAsync(folder.File("gateway.json"), setup.Render(service.Address));
        await using var gateway = await GatewayProcess.StartAsync(new() { ConfigFile = folder.File("gateway.json") });

        _ = await PutAsync(gateway, "/orders/1", 34, "c-1");
        var forwarded = await PutAsync(gateway, "/orders/1", 33, "c-2");

        forwarded.GetProperty("status").GetInt32().ShouldBe(200);
        Fenced(forwarded).ShouldBe(("stale", "orders/1", 33));
        var warning = gateway.Log.Single(
            e => e.GetProperty("level").GetString() == "Warning" && e.TryGetProperty("detail", out _));
        warning.GetProperty("policy").GetString().ShouldBe("per-order");
        warning.GetProperty("outcome").GetString().ShouldBe("stale");
        warning.GetProperty("resource").GetString().ShouldBe("orders/1");
    }

    /// <summary>Sends a write and waits for its line.</summary>
    private static async Task<JsonElement> PutAsync(GatewayProcess gateway, string path, long token, string correlation)
    {
        using var client = FencedGateway.NewClient(gateway.Address);
        using var request = new HttpRequestMessage(HttpMethod.Put, path) { Content = new StringContent("x") };
        request.Headers.Add("Fencing-Token", token.ToString());
        request.Headers.Add("X-Correlation-Id", correlation);
        request.Headers.Add("X-Tenant-Id", "tenant-7");
        using var response = await client.SendAsync(request);
        response.Headers.GetValues("X-Correlation-Id").ShouldBe([correlation]);
        return JsonSerializer.Deserialize<JsonElement>(
            await gateway.WaitForLineAsync(
                l => l.Contains($"\"correlationId\":\"{correlation}\"", StringComparison.Ordinal)));
    }

    /// <summary>The values that are the same in every run; all <paramref name="names"/> have to be there.</summary>
    private static IEnumerable<string?> Fields(JsonElement line, string[] names)
    {
        foreach (var name in names)
        {
            line.TryGetProperty(name, out var value).ShouldBeTrue(name);
            if (name is "level" or "correlationId" or "tenantId" or "route")
            {
                yield return value.GetString();
            }
        }
    }

    private static (string? Outcome, string? Resource, long Token) Fenced(JsonElement line) =>
        (line.GetProperty("outcome").GetString(), line.GetProperty("resource").GetString(), line.GetProperty("token").GetInt64());
}
