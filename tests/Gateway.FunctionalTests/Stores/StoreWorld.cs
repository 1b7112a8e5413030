using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Stores;

/// <summary>A Redis, gateways on it as processes, and a journaling service behind them.</summary>
internal sealed class StoreWorld : IAsyncDisposable
{
    public static readonly TimeSpan SessionTtl = TimeSpan.FromSeconds(1);

    private readonly List<GatewayProcess> _gateways = [];
    private readonly List<HttpClient> _clients = [];
    private GatewayFiles _files = null!;

    private StoreWorld(RedisServer redis, JournalService service) => (Redis, Service) = (redis, service);

    public RedisServer Redis { get; }

    public JournalService Service { get; }

    public GatewayProcess Gateway => _gateways[0];

    public static async Task<StoreWorld> StartAsync(
        RedisServerOptions? redis = null, Action<JsonObject>? store = null, Action<JsonObject>? policy = null,
        Action<JsonObject>? gateway = null)
    {
        var world = new StoreWorld(await RedisServer.StartAsync(redis), await JournalService.StartAsync());
        world._files = new GatewayFiles(world.Service.Address, json =>
        {
            var section = new JsonObject
            {
                ["Provider"] = "Redis",
                ["SessionTtl"] = "00:00:01",
                [nameof(Redis)] = new JsonObject { ["Configuration"] = world.Redis.Configuration },
            };
            store?.Invoke(section);
            json["FenceGateway"]!["TokenStore"] = section;
            policy?.Invoke(GatewayFiles.PolicyOf(json));
            gateway?.Invoke(json["FenceGateway"]!.AsObject());
        });
        return world;
    }

    /// <summary>Starts a gateway; ready when the store is there.</summary>
    public async Task<GatewayProcess> StartGatewayAsync()
    {
        var gateway = Add(
            await GatewayProcess.StartAsync(new GatewayProcessOptions { ConfigFile = _files.ConfigFile }));
        return gateway;
    }

    /// <summary>Starts a gateway that is not to become ready.</summary>
    public GatewayProcess LaunchGateway() =>
        Add(GatewayProcess.Launch(new GatewayProcessOptions { ConfigFile = _files.ConfigFile }));

    public Task<Answer> PutAsync(long token, string path = "/orders/1", int gateway = 0) =>
        SendAsync(HttpMethod.Put, _clients[2 * gateway], path, token);

    public Task<Answer> GetAsync(long token, string path = "/orders/1") =>
        SendAsync(HttpMethod.Get, _clients[0], path, token);

    public Task<Answer> AdminAsync(string path, int gateway = 0) =>
        SendAsync(HttpMethod.Get, _clients[2 * gateway + 1], path, null);

    public async Task<Answer> ChangeAsync(string path, string body)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await _clients[1].PostAsync(path, content);
        return await Answer.ReadAsync(response);
    }

    /// <summary>SIGKILL.</summary>
    public Task KillAsync(int gateway) => _gateways[gateway].KillAsync();

    /// <summary>Waits until the first gateway's session has ended: until then it admits what it had entered.</summary>
    public Task WaitForSessionEndAsync() => WaitForAsync(
        "/admin/v1/store",
        json => json.GetProperty("session") is { ValueKind: JsonValueKind.Object } session
            && !session.GetProperty("alive").GetBoolean());

    /// <summary>Waits until the first gateway's admin listener tells so.</summary>
    public async Task<JsonElement> WaitForAsync(string path, Func<JsonElement, bool> condition)
    {
        using var end = new CancellationTokenSource(TimeLimit.Default);
        while (true)
        {
            var answer = await AdminAsync(path);
            if (answer.Status == 200 && condition(answer.Json))
            {
                return answer.Json;
            }

            end.IsCancellationRequested.ShouldBeFalse($"last: {answer.Text}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, CancellationToken.None);
        }
    }

    /// <summary>Waits until <c>/readyz</c> answers so; the answer.</summary>
    public async Task<Answer> WaitForReadinessAsync(HttpStatusCode wanted, string? reason = null)
    {
        using var end = new CancellationTokenSource(TimeLimit.Default);
        while (true)
        {
            try
            {
                var answer = await AdminAsync("/readyz");
                if (answer.Status == (int)wanted
                    && (reason is null || answer.Text.Contains(reason, StringComparison.Ordinal)))
                {
                    return answer;
                }

                end.IsCancellationRequested.ShouldBeFalse($"last: {answer.Text}");
            }
            catch (HttpRequestException e)
            {
                end.IsCancellationRequested.ShouldBeFalse(e.Message);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, CancellationToken.None);
        }
    }

    /// <summary>How often the gateway has logged the event.</summary>
    public int CountEvents(int id) =>
        Gateway.Log.Count(line => line.TryGetProperty("eventId", out var e) && e.GetProperty("Id").GetInt32() == id);

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        await Service.DisposeAsync();
        foreach (var gateway in _gateways)
        {
            await gateway.DisposeAsync();
        }

        await Redis.DisposeAsync();
        _files.Dispose();
    }

    private GatewayProcess Add(GatewayProcess gateway)
    {
        _gateways.Add(gateway);
        _clients.Add(FencedGateway.NewClient(gateway.Address));
        _clients.Add(FencedGateway.NewClient(gateway.AdminAddress));
        return gateway;
    }

    private static async Task<Answer> SendAsync(HttpMethod method, HttpClient client, string path, long? token)
    {
        using var request = new HttpRequestMessage(method, path);
        if (token is not null)
        {
            request.Content = new StringContent("x");
            request.Headers.Add("Fencing-Token", token.ToString());
        }

        using var response = await client.SendAsync(request);
        return await Answer.ReadAsync(response);
    }
}
