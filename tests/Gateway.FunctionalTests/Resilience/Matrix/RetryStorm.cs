using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

/// <summary>
/// A gateway process with retries in front of two services that fail at random, and clients that send a mixed stream of
/// requests: all methods, with and without body, key and token.
/// </summary>
internal sealed class RetryStorm : IAsyncDisposable
{
    public const double BudgetRatio = 0.2;
    private const int Senders = 16;
    private const int Resources = 6;

    private static readonly Fault[] Faults =
    [
        Fault.NeverAnswers, Fault.ResetAfterHead, Fault.ResetAfterRequest, Fault.ClosedAfterRequest, Fault.HalfHead,
        Fault.Garbage,
        Fault.ResetInAnswer, Fault.HalfAnswer, Fault.CutChunks, Fault.Unavailable(0), Fault.Answers(502),
        Fault.Answers(500),
    ];

    private static readonly HttpMethod[] Methods =
        [HttpMethod.Get, HttpMethod.Put, HttpMethod.Put, HttpMethod.Delete, HttpMethod.Post, HttpMethod.Post, HttpMethod.Patch];

    private readonly EventClock _clock;
    private readonly FaultyService[] _services;
    private readonly GatewayFiles _files;
    private readonly GatewayProcess _gateway;
    private readonly HttpClient _client;
    private readonly ConcurrentQueue<StormRequest> _requests = new();
    private readonly ConcurrentQueue<GatewayAnswer> _answers = new();
    private readonly long[] _granted = new long[2 * Resources];
    private int _arrivals;
    private long _lastId;

    private RetryStorm(FaultyService[] services, GatewayFiles files, GatewayProcess gateway, EventClock clock)
    {
        (_services, _files, _gateway, _clock) = (services, files, gateway, clock);
        _client = FencedGateway.NewClient(gateway.Address);
    }

    public IReadOnlyCollection<StormRequest> Requests => _requests;

    /// <summary>What the clients of fenced requests saw.</summary>
    public IReadOnlyCollection<GatewayAnswer> Answers => _answers;

    /// <summary>
    /// What arrived at any of the services, but for what they refused with 503: nothing was done, and if it turns stale
    /// before it is tried again, the answer is 409 (R9).
    /// </summary>
    public IReadOnlyList<ServiceWrite> Writes =>
    [
        .. _services.SelectMany(s => s.Entries)
        .Where(e => e is { IsWrite: true, Token: not null } and not { Status: 503 }).Select(ServiceWrite.From),
    ];

    public static async Task<RetryStorm> StartAsync()
    {
        var clock = new EventClock();
        FaultyService[] services = [new(clock), new(clock)];
        var files = new GatewayFiles(services[0].Address, json => Configure(json, services));
        return new RetryStorm(
            services, files, await GatewayProcess.StartAsync(new() { ConfigFile = files.ConfigFile }), clock);
    }

    /// <summary>Sends the requests, some at a time, while the services fail.</summary>
    public async Task RunAsync(Random random, int requests)
    {
        var seed = random.Next();
        foreach (var service in _services)
        {
            service.Script = _ => Choose(new Random(seed + Interlocked.Increment(ref _arrivals)), service);
            service.Connections = number =>
                new Random(seed - number).Next(12) == 0 ? ConnectionFault.ResetUnread : ConnectionFault.None;
            _ = ReleaseAllAsync(service);
        }

        var left = requests;
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(sender => SendAllAsync(new Random(seed ^ sender))));

        async Task SendAllAsync(Random own)
        {
            var mine = new long[2 * Resources];
            while (Interlocked.Decrement(ref left) >= 0)
            {
                await SendAsync(Make(own, mine));
            }
        }
    }

    /// <summary>How often each request reached a service, by its id; at least its first bytes.</summary>
    public Dictionary<string, int> CountSends() =>
        _services.SelectMany(s => s.Entries.Select(e => e.RequestId!).Concat(s.Unread.Select(IdIn)))
            .GroupBy(id => id, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _gateway.DisposeAsync();
        foreach (var service in _services)
        {
            await service.DisposeAsync();
        }

        _files.Dispose();
    }

    private static Fault Choose(Random random, FaultyService service)
    {
        if (random.Next(150) == 0)
        {
            service.Die();
            service.ComeBack();
        }

        return random.Next(2) == 0 ? Faults[random.Next(Faults.Length)] : Fault.None;
    }

    private static async Task ReleaseAllAsync(FaultyService service)
    {
        while (true)
        {
            (await service.NextArrivalAsync()).Release();
        }
    }

    private StormRequest Make(Random random, long[] mine)
    {
        var method = Methods[random.Next(Methods.Length)];
        var (isFenced, isHonoured) = (random.Next(2) == 0, random.Next(2) == 0);
        var resource = random.Next(Resources);
        var held = resource + (isHonoured ? Resources : 0);
        return new StormRequest(
            Interlocked.Increment(ref _lastId).ToString(CultureInfo.InvariantCulture),
            method,
            $"/{(isFenced ? "orders" : "open")}{(isHonoured ? "-keyed" : "")}/{resource}",
            isFenced ? mine[held] = Token(random, ref _granted[held], mine[held]) : null,
            HasKey: random.Next(2) == 0,
            HasBody: method != HttpMethod.Get && random.Next(2) == 0,
            isHonoured);
    }

    /// <summary>
    /// Takes the lock over, works beside the holder of today, or goes on with a token that may long be stale.
    /// </summary>
    private static long Token(Random random, ref long granted, long mine) => random.Next(100) switch
    {
        0 => Interlocked.Increment(ref granted),
        < 30 => Math.Max(1, Volatile.Read(ref granted)),
        _ => Math.Max(1, mine),
    };

    private async Task SendAsync(StormRequest request)
    {
        _requests.Enqueue(request);
        using var message = request.ToMessage();
        var sent = _clock.Next();
        Answer? answer = null;
        try
        {
            using var response = await _client.SendAsync(message);
            answer = await Answer.ReadAsync(response);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // Cut off, on purpose of the service.
        }

        if (request.Token is { } token)
        {
            _answers.Enqueue(new(
                request.Id, request.Path, token, sent, answer is null ? null : _clock.Next(), answer?.Status,
                answer?.Problem));
        }
    }

    private static string IdIn(string unread) => Regex.Match(unread, @"(?<=Test-Request-Id: )\d+").Value;

    private static void Configure(JsonObject json, FaultyService[] services)
    {
        var proxy = json["ReverseProxy"]!.AsObject();
        proxy["Clusters"]!["orders"]!["Destinations"] = new JsonObject(
            services.Select(
                (s, i) => KeyValuePair.Create($"{i}", (JsonNode?)new JsonObject { ["Address"] = $"{s.Address}" })));
        proxy["Routes"] = new JsonObject
        {
            ["orders"] = Route("/orders/{id}", "honours-none", "per-order"),
            ["orders-keyed"] = Route("/orders-keyed/{id}", "honours-keys", "per-keyed-order"),
            ["open"] = Route("/open/{id}", "honours-none"),
            ["open-keyed"] = Route("/open-keyed/{id}", "honours-keys"),
        };
        const string Times = """
            "DrainTimeout": "00:00:03", "InDoubtHold": "00:00:01", "WriteTimeout": "00:00:10"
            """;
        var policy = $$"""
            "Timeouts": { "Connect": "00:00:01", "FirstByte": "00:00:00.200", "Total": "00:00:02" },
            "Retry": { "MaxAttempts": 4, "BaseDelay": "00:00:00.001", "MaxDelay": "00:00:00.020", "BudgetRatio": {{BudgetRatio}} }
            """;
        json["FenceGateway"]!["FencingPolicies"] = JsonNode.Parse($$"""
            {
              "per-order": { "Resource": "orders/{id}", {{Times}} },
              "per-keyed-order": { "Resource": "orders-keyed/{id}", {{Times}} }
            }
            """);
        json["FenceGateway"]!["ResiliencePolicies"] = JsonNode.Parse($$"""
            {
              "honours-none": { {{policy}}, "Idempotency": {} },
              "honours-keys": { {{policy}}, "Idempotency": { "HonouredByService": true } }
            }
            """);
    }

    private static JsonObject Route(string path, string resilience, string? fencing = null)
    {
        var metadata = new JsonObject { ["ResiliencePolicy"] = resilience };
        if (fencing is not null)
        {
            metadata["FencingPolicy"] = fencing;
        }

        return new JsonObject
        { ["ClusterId"] = "orders", ["Match"] = new JsonObject { ["Path"] = path }, ["Metadata"] = metadata };
    }
}
