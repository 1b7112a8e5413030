using System.Net;
using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Stores;

/// <summary>
/// A gateway that is stopped in the middle of writes, and goes on after its session and every hold are over: by then
/// others have written with newer tokens, and nothing of what it has may leave.
/// </summary>
public sealed class StoppedGatewayTests : IAsyncLifetime
{
    private const int Uploads = 64;
    private const int Connects = 120;

    /// <summary>The kernel asks again for a connection after 1, 3, 7, 15, 31 and 63 seconds.</summary>
    private static readonly TimeSpan LongestSynPause = TimeSpan.FromSeconds(64);

    private readonly List<IAsyncDisposable> _started = [];
    private readonly List<IDisposable> _made = [];
    private RedisServer _redis = null!;

    public async ValueTask InitializeAsync() => _redis = await RedisServer.StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var started in Enumerable.Reverse(_started))
        {
            await started.DisposeAsync();
        }

        _made.ForEach(made => made.Dispose());
        await _redis.DisposeAsync();
    }

    [RealTimeFact]
    public async Task Continued_InTheMiddleOfUploads_NoneIsSentToItsEnd()
    {
        var service = await JournalService.StartAsync();
        _started.Add(service);
        var (old, other) = (await StartAsync(service.Address), await StartAsync(service.Address));
        List<RawHttpClient> clients = [];
        for (var i = 0; i < Uploads; i++)
        {
            var client = await RawHttpClient.ConnectAsync(old.Port);
            _started.Add(client);
            clients.Add(client);
            await client.SendAsync(RawHttpClient.Head(
                $"PUT /orders/{i} HTTP/1.1", "Host: test", "Fencing-Token: 33", "Transfer-Encoding: chunked"));
            await client.SendChunkAsync("half");
            await (await service.NextArrivalAsync()).WaitForBodyAsync(4);
        }

        old.Signal(UnixSignal.Stop);
        await TakeOverAsync(other, Uploads);
        foreach (var client in clients)
        {
            await client.SendAsync("4\r\nrest\r\n0\r\n\r\n");
        }

        old.Signal(UnixSignal.Continue);

        foreach (var client in clients)
        {
            (await client.ReadResponseAsync()).Status.ShouldBe(502);
        }

        var writes = service.Entries.Where(e => e.Token == 33).ToList();
        writes.Count.ShouldBe(Uploads);
        await Eventually.IsSoAsync(
            () => service.Entries.Where(e => e.Token == 33).All(e => e.Ended is not null), "every upload to end");
        service.Entries.Where(e => e.Token == 33).ShouldAllBe(e => e.AppliedAt == null);
    }

    [RealTimeFact]
    public async Task Continued_WhileConnectionsAreComingAbout_NoWriteIsSent()
    {
        using var service = new FullListener();
        var journal = await JournalService.StartAsync();
        _started.Add(journal);
        var (old, other) = (await StartAsync(service.Address), await StartAsync(journal.Address));
        List<RawHttpClient> clients = [];
        for (var i = 0; i < Connects; i++)
        {
            var client = await RawHttpClient.ConnectAsync(old.Port);
            _started.Add(client);
            clients.Add(client);
            var body = i % 2 == 0;
            await client.SendAsync(RawHttpClient.Head(
                $"{(body ? "PUT" : "DELETE")} /orders/{i} HTTP/1.1", "Host: test", "Fencing-Token: 33",
                body ? "Content-Length: 4" : "Accept: */*") + (body ? "body" : ""));
        }

        await Eventually.IsSoAsync(() => service.Asking >= Connects, "every write to ask for a connection");
        old.Signal(UnixSignal.Stop);
        await TakeOverAsync(other, Connects);
        service.Accept();
        await Eventually.IsSoAsync(
            () => service.Connections > FullListener.Own, "a connection to come about", LongestSynPause);
        old.Signal(UnixSignal.Continue);

        foreach (var client in clients)
        {
            (await client.ReadResponseAsync()).Status.ShouldBeOneOf(502, 503);
        }

        service.Received.ShouldAllBe(text => text.Length == 0);
    }

    private async Task<GatewayProcess> StartAsync(Uri service)
    {
        var files = new GatewayFiles(service, json =>
        {
            json["FenceGateway"]!["TokenStore"] = new JsonObject
            {
                ["Provider"] = "Redis",
                ["SessionTtl"] = "00:00:03",
                ["Redis"] = new JsonObject { ["Configuration"] = _redis.Configuration },
            };
            GatewayFiles.PolicyOf(json)["WriteTimeout"] = "00:05:00";
            GatewayFiles.PolicyOf(json)["InDoubtHold"] = "00:00:01";
        });
        _made.Add(files);
        var gateway = await GatewayProcess.StartAsync(new GatewayProcessOptions { ConfigFile = files.ConfigFile });
        _started.Add(gateway);
        return gateway;
    }

    private static async Task TakeOverAsync(GatewayProcess gateway, int resources)
    {
        using var client = new HttpClient { BaseAddress = gateway.Address };
        await Task.WhenAll(Enumerable.Range(0, resources).Select(i => Eventually.IsSoAsync(
            async () =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Put, $"orders/{i}");
                request.Headers.Add("Fencing-Token", "34");
                request.Content = new StringContent("new");
                using var answer = await client.SendAsync(request);
                return answer.StatusCode == HttpStatusCode.OK;
            },
            $"{i} to be taken over")));
    }
}
