using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Replication;

/// <summary>
/// Two regions, each with a gateway of its own on a real store of its own: Redis here, etcd there. A holder that lost
/// its lock writes in one region while its successor writes in the other.
/// </summary>
public sealed class ReplicationTests : IAsyncLifetime
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly HttpClient _client = new() { Timeout = TimeLimit.Default };
    private readonly List<IAsyncDisposable> _started = [];
    private readonly List<GatewayFiles> _files = [];

    [AllowNull]
    private JournalService _service;

    [AllowNull]
    private RedisServer _redis;

    [AllowNull]
    private EtcdServer _etcd;

    public async ValueTask InitializeAsync()
    {
        _service = await JournalService.StartAsync();
        _redis = await RedisServer.StartAsync();
        _etcd = await EtcdServer.StartAsync();
        _started.AddRange([_service, _redis, _etcd]);
    }

    [Fact]
    public async Task StaleHolder_SuccessorInTheOtherRegion_IsStoppedOnceItsMarkHasArrived()
    {
        var (west, east) = await StartBothAsync();
        (await PutAsync(west, "1", 5)).ShouldBe(HttpStatusCode.OK);
        (await PutAsync(east, "1", 6)).ShouldBe(HttpStatusCode.OK);
        TestContext.Current.TestOutputHelper?.WriteLine($"west: stale after {await UntilStaleAsync(west, "1", 5)}");
        (await PutAsync(west, "1", 6)).ShouldBe(HttpStatusCode.OK);

        (await PutAsync(west, "1", 7)).ShouldBe(HttpStatusCode.OK);
        TestContext.Current.TestOutputHelper?.WriteLine($"east: stale after {await UntilStaleAsync(east, "1", 6)}");
        (await PutAsync(east, "1", 7)).ShouldBe(HttpStatusCode.OK);
        west.Output.Count(l => l.Contains("Replication from region east: its marks are read", StringComparison.Ordinal))
            .ShouldBe(1, "a region is read by one loop");
    }

    [Fact]
    public async Task Marks_FromBeforeTheRegionsKnewEachOther_AreTakenOver()
    {
        var east = await StartAsync(EtcdStore());
        for (var i = 0; i < 20; i++)
        {
            (await PutAsync(east, $"{i}", 100 + i)).ShouldBe(HttpStatusCode.OK);
        }

        var west = await StartAsync(RedisStore(), EtcdStore());
        for (var i = 0; i < 20; i++)
        {
            _ = await UntilStaleAsync(west, $"{i}", 99);
            (await PutAsync(west, $"{i}", 100 + i)).ShouldBe(HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task OtherRegion_WritesInBothAtOnce_EndAtTheSameMarks()
    {
        var (west, east) = await StartBothAsync();
        await Task.WhenAll(Enumerable.Range(0, 10).SelectMany(i => new[]
        {
            PutAllAsync(west, $"{i}", Enumerable.Range(1, 20).Where(t => t % 2 == 0)),
            PutAllAsync(east, $"{i}", Enumerable.Range(1, 20).Where(t => t % 2 == 1)),
        }));
        for (var i = 0; i < 10; i++)
        {
            _ = await UntilStaleAsync(west, $"{i}", 19);
            _ = await UntilStaleAsync(east, $"{i}", 19);
            (await PutAsync(west, $"{i}", 20)).ShouldBe(HttpStatusCode.OK);
            (await PutAsync(east, $"{i}", 20)).ShouldBe(HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task OtherRegion_ItsStoreIsAway_TheOwnGoesOnAndCatchesUpLater()
    {
        var (west, east) = await StartBothAsync();
        (await PutAsync(east, "1", 5)).ShouldBe(HttpStatusCode.OK);
        _ = await UntilStaleAsync(west, "1", 4);

        await _etcd.KillAsync();
        await west.WaitForLineAsync(
            l => l.Contains("Replication from region east: its store cannot be read", StringComparison.Ordinal));
        var away = await RegionAsync(west);
        away.GetProperty("name").GetString().ShouldBe("east");
        away.GetProperty("provider").GetString().ShouldBe("Etcd");
        away.GetProperty("fault").GetString().ShouldNotBeNullOrEmpty();
        for (var token = 6; token < 16; token++)
        {
            (await PutAsync(west, "1", token)).ShouldBe(HttpStatusCode.OK);
        }

        using (var ready = await _client.GetAsync(new Uri(west.AdminAddress, "readyz")))
        {
            ready.StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        await _etcd.RestartAsync();
        await PutUntilAsync(east, "2", 9, HttpStatusCode.OK);
        _ = await UntilStaleAsync(west, "2", 8);
        await BackAsync(west).WithinLimit("the region to be told as read again");
        _ = await UntilStaleAsync(east, "1", 14);
    }

    [Fact]
    public async Task OtherRegion_WasNeverThere_TheOwnStartsAndServes()
    {
        var port = FreePorts.Next();
        var west = await StartAsync(RedisStore(), JsonNode.Parse($$"""{ "Provider": "Etcd", "Etcd": { "Endpoints": ["http://127.0.0.1:{{port}}"] } }""")!.AsObject());
        (await PutAsync(west, "1", 5)).ShouldBe(HttpStatusCode.OK);
        (await PutAsync(west, "1", 4)).ShouldBe(HttpStatusCode.Conflict);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        foreach (var started in Enumerable.Reverse(_started))
        {
            await started.DisposeAsync();
        }

        foreach (var files in _files)
        {
            files.Dispose();
        }
    }

    private JsonObject RedisStore() =>
        JsonNode.Parse($$"""{ "Provider": "Redis", "Redis": { "Configuration": "{{_redis.Configuration}}" } }""")!.AsObject();

    private JsonObject EtcdStore() =>
        JsonNode.Parse($$"""{ "Provider": "Etcd", "Etcd": { "Endpoints": [ "{{_etcd.Address}}" ] } }""")!.AsObject();

    private async Task<(GatewayProcess West, GatewayProcess East)> StartBothAsync()
    {
        var west = StartAsync(RedisStore(), EtcdStore(), "east");
        var east = StartAsync(EtcdStore(), RedisStore(), "west");
        return (await west, await east);
    }

    private async Task<GatewayProcess> StartAsync(JsonObject store, JsonObject? other = null, string region = "east")
    {
        var files = new GatewayFiles(_service.Address, json =>
        {
            if (other is not null)
            {
                store["Replicate"] = new JsonObject
                {
                    ["Interval"] = Interval.ToString(),
                    ["Regions"] = new JsonObject { [region] = other },
                };
            }

            json["FenceGateway"]!["TokenStore"] = store;
        });
        _files.Add(files);
        var gateway = await GatewayProcess.StartAsync(new GatewayProcessOptions { ConfigFile = files.ConfigFile });
        _started.Add(gateway);
        return gateway;
    }

    private async Task BackAsync(GatewayProcess gateway)
    {
        while ((await RegionAsync(gateway)).GetProperty("fault").GetString() is not null)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    private async Task<JsonElement> RegionAsync(GatewayProcess gateway)
    {
        using var store = JsonDocument.Parse(
            await _client.GetStringAsync(new Uri(gateway.AdminAddress, "admin/v1/store")));
        return store.RootElement.GetProperty("regions").EnumerateArray().ShouldHaveSingleItem().Clone();
    }

    private async Task<HttpStatusCode> PutAsync(GatewayProcess gateway, string order, long token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, new Uri(gateway.Address, $"orders/{order}"));
        request.Content = new StringContent("{}");
        request.Headers.Add("Fencing-Token", $"{token}");
        using var response = await _client.SendAsync(request);
        return response.StatusCode;
    }

    private async Task PutAllAsync(GatewayProcess gateway, string order, IEnumerable<int> tokens)
    {
        foreach (var token in tokens)
        {
            (await PutAsync(gateway, order, token)).ShouldBeOneOf(
                HttpStatusCode.OK, HttpStatusCode.Conflict, HttpStatusCode.ServiceUnavailable);
        }

        await PutUntilAsync(gateway, order, 20, HttpStatusCode.OK);
    }

    private async Task<TimeSpan> UntilStaleAsync(GatewayProcess gateway, string order, long token) =>
        await PutUntilAsync(gateway, order, token, HttpStatusCode.Conflict);

    private async Task<TimeSpan> PutUntilAsync(GatewayProcess gateway, string order, long token, HttpStatusCode wanted)
    {
        var (begun, time) = (TimeProvider.System.GetTimestamp(), TimeProvider.System);
        while (await PutAsync(gateway, order, token) is var status && status != wanted)
        {
            time.GetElapsedTime(begun).ShouldBeLessThan(
                TimeLimit.Default, $"{order} with {token} still answers {status}, not {wanted}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), time);
        }

        return time.GetElapsedTime(begun);
    }
}
