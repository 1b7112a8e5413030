using System.Net;

namespace FenceGateway.TestKit.Tests.Processes;

/// <summary>The whole kit together, around the built gateway.</summary>
public sealed class GatewayProcessTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private JournalService _service = null!;
    private GatewayProcessOptions _options = null!;

    public async ValueTask InitializeAsync()
    {
        _service = await JournalService.StartAsync();
        _options = new GatewayProcessOptions { ConfigFile = _folder.File("gateway.json") };
        await File.WriteAllTextAsync(_options.ConfigFile, $$"""
            {
              "ReverseProxy": {
                "Routes": {
                  "orders": {
                    "ClusterId": "orders",
                    "Match": { "Path": "/orders/{id}" },
                    "Metadata": { "FencingPolicy": "per-order" }
                  }
                },
                "Clusters": { "orders": { "Destinations": { "a": { "Address": "{{_service.Address}}" } } } }
              },
              "FenceGateway": {
                "TokenStore": { "Provider": "Embedded", "Embedded": { "Path": "{{_folder.File("tokens")}}" } },
                "FencingPolicies": { "per-order": { "Resource": "orders/{id}", "InDoubtHold": "00:00:00.1" } }
              }
            }
            """);
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task KillAsync_ThenStartedAgain_MakesACorrectHistory()
    {
        using var client = new RecordingClient(_service.Clock);
        await using (var gateway = await GatewayProcess.StartAsync(_options))
        {
            (await client.SendAsync(gateway.Address, HttpMethod.Put, "/orders/1", 34)).Status.ShouldBe(200);
            await gateway.KillAsync();
        }

        await using (var gateway = await GatewayProcess.StartAsync(_options))
        {
            var late = await client.SendAsync(gateway.Address, HttpMethod.Put, "/orders/1", 33);
            late.Status.ShouldBe((int)HttpStatusCode.Conflict);
            late.Problem.ShouldBe("fencing-token-stale");
            gateway.Log.ShouldNotBeEmpty();
            (await gateway.TerminateAsync()).ShouldBe(0);
        }

        client.Answers.Count.ShouldBe(2);
        _service.Writes.Count.ShouldBe(1);
        HistoryChecker.Check(_service.Writes, client.Answers).ShouldBeEmpty();
    }

    [Fact]
    public async Task StartAsync_GatewayEndsAtOnce_ThrowsWithWhatItSaid()
    {
        await File.WriteAllTextAsync(_options.ConfigFile, "{ broken");

        var failure = await Should.ThrowAsync<InvalidOperationException>(() => GatewayProcess.StartAsync(_options));

        failure.Message.ShouldContain("ended with 2");
    }
}
