using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Idempotency;

/// <summary>
/// A service that applies all that it gets, a gateway process in front of it that is killed again and again, and
/// clients that repeat each request with its key until they know what became of it.
/// </summary>
internal sealed class KeyCrashWorld : IAsyncDisposable
{
    private const int Clients = 6;
    private const int MaxLifeMs = 700;
    private const int MaxServiceMs = 15;
    private static readonly TimeSpan AfterNoAnswer = TimeSpan.FromMilliseconds(40);

    private readonly JournalService _service;
    private readonly GatewayFiles _files;
    private readonly GatewayProcessOptions _options;
    private readonly HttpClient _client =
        new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeLimit.Default };
    private readonly ConcurrentQueue<KeyEnd> _ends = new();
    private volatile bool _ending;

    private KeyCrashWorld(JournalService service)
    {
        _service = service;
        _service.Script = _ => ServiceAction.Hold;
        _files = new GatewayFiles(service.Address, Configure);
        _options = new GatewayProcessOptions { ConfigFile = _files.ConfigFile };
        _client.BaseAddress = new Uri($"http://127.0.0.1:{_options.Port}/");
    }

    /// <summary>What became of each key, as far as its client could tell.</summary>
    public IReadOnlyCollection<KeyEnd> Ends => _ends;

    /// <summary>How often each key arrived at the service.</summary>
    public IReadOnlyDictionary<string, int> Arrivals => _service.Entries
        .Where(e => e.Headers.ContainsKey("Idempotency-Key"))
        .CountBy(e => e.Headers["Idempotency-Key"][0])
        .ToDictionary(StringComparer.Ordinal);

    public GatewayProcessOptions Options => _options;

    public JournalService Service => _service;

    public static async Task<KeyCrashWorld> StartAsync() => new(await JournalService.StartAsync());

    /// <summary>Turns idempotency on for the route of <see cref="GatewayFiles"/>.</summary>
    public static void Configure(JsonObject json)
    {
        json["ReverseProxy"]!["Routes"]!["orders"]!["Metadata"]!["ResiliencePolicy"] = "keys";
        var gateway = json["FenceGateway"]!;
        gateway["ResiliencePolicies"] =
            new JsonObject { ["keys"] = new JsonObject { ["Idempotency"] = new JsonObject { ["Mode"] = "Required" } } };
        var tokens = gateway["TokenStore"]!["Embedded"]!["Path"]!.GetValue<string>();
        gateway["Idempotency"] = new JsonObject { ["Path"] = Path.Combine(Path.GetDirectoryName(tokens)!, "answers") };
    }

    /// <summary>
    /// Kills the gateway <paramref name="kills"/> times under load, then lets everything end in peace.
    /// </summary>
    public async Task RunAsync(Random random, int kills)
    {
        using var stop = new CancellationTokenSource();
        var serving = ServeAsync(new Random(random.Next()), stop.Token);
        var clients = Enumerable.Range(0, Clients).Select(i => UseAsync(i, new Random(random.Next()))).ToList();
        for (var i = 0; i < kills; i++)
        {
            await using var gateway = await GatewayProcess.StartAsync(_options);
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(MaxLifeMs)), TimeProvider.System);
            await gateway.KillAsync();
        }

        _ending = true;
        await using (await GatewayProcess.StartAsync(_options))
        {
            await Task.WhenAll(clients);
        }

        await stop.CancelAsync();
        await serving;
    }

    /// <summary>
    /// Sends a write, and repeats it with its key until there is an answer that says what became of it.
    /// </summary>
    public async Task<KeyEnd> SettleAsync(int client, string key)
    {
        var tries = 0;
        while (true)
        {
            tries++;
            if (await TrySendAsync(client, key) is { } answer && answer.Status < 500
                && answer.Problem != "idempotency-key-in-progress")
            {
                return new KeyEnd(key, answer, tries);
            }

            await Task.Delay(AfterNoAnswer, TimeProvider.System);
        }
    }

    /// <summary>Sends a write once; null when no answer came.</summary>
    public async Task<Answer?> TrySendAsync(int client, string key, long token = 1)
    {
        using var request =
            new HttpRequestMessage(HttpMethod.Post, $"/orders/{client}") { Content = new StringContent(key) };
        request.Headers.Add("Fencing-Token", token.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("Idempotency-Key", key);
        try
        {
            using var response = await _client.SendAsync(request);
            return await Answer.ReadAsync(response);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _service.DisposeAsync();
        _files.Dispose();
    }

    private async Task UseAsync(int client, Random random)
    {
        while (!_ending)
        {
            var key = $"{client}-{random.Next():x}-{Guid.NewGuid():N}";
            var end = await SettleAsync(client, key);
            _ends.Enqueue(end);
            if (random.Next(3) == 0)
            {
                _ends.Enqueue(await SettleAsync(client, key));
            }
        }
    }

    /// <summary>
    /// The service takes its time over each request and applies it whether or not the gateway is still there.
    /// </summary>
    private async Task ServeAsync(Random random, CancellationToken cancellationToken)
    {
        var answers = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            var arriving = _service.NextArrivalAsync();
            await Task.WhenAny(arriving, Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken));
            if (arriving.IsCompletedSuccessfully)
            {
                _ = EndAsync(await arriving, random.Next(MaxServiceMs), ++answers);
            }
        }

        static async Task EndAsync(ServiceArrival arrival, int afterMs, int number)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(afterMs), TimeProvider.System, CancellationToken.None);
            arrival.Release(201, $"answer {number}");
        }
    }
}

/// <summary>What a client knows of a key in the end.</summary>
internal sealed record KeyEnd(string Key, Answer Answer, int Tries);
