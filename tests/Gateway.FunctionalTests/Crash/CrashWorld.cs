using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Crash;

/// <summary>
/// A service with a gateway in front of it that is killed again and again, and lock holders who write all the while:
/// some take a new token, others do not notice and go on with their old one.
/// </summary>
internal sealed class CrashWorld : IAsyncDisposable
{
    private const int Resources = 3;
    private const int Holders = 5;
    private const int MaxLifeMs = 1000;
    private const int MaxStartMs = 700;

    /// <summary>
    /// Far less than InDoubtHold, so that a loaded machine does not turn an honest history into a violation.
    /// </summary>
    private const int MaxServiceMs = 40;

    private static readonly Uri EndOfService = new("end", UriKind.Relative);
    private static readonly TimeSpan AfterNoAnswer = TimeSpan.FromMilliseconds(40);

    private readonly JournalService _service;
    private readonly GatewayFiles _files;
    private readonly GatewayProcessOptions _options;
    private readonly RecordingClient _client;
    private readonly long[] _granted = new long[Resources];
    private volatile bool _ending;

    private CrashWorld(JournalService service)
    {
        _service = service;
        _service.Script = _ => ServiceAction.Hold;
        _files = new GatewayFiles(service.Address);
        _options = new GatewayProcessOptions { ConfigFile = _files.ConfigFile };
        _client = new RecordingClient(service.Clock);
        Gateway = new Uri($"http://127.0.0.1:{_options.Port}/");
    }

    /// <summary>How often the gateway was killed while it served.</summary>
    public int Kills { get; private set; }

    /// <summary>How often it was killed while it started.</summary>
    public int KillsAtStart { get; private set; }

    public IReadOnlyList<ServiceWrite> Writes => _service.Writes;

    public IReadOnlyList<GatewayAnswer> Answers => _client.Answers;

    private Uri Gateway { get; }

    public static async Task<CrashWorld> StartAsync() => new(await JournalService.StartAsync());

    /// <summary>
    /// Kills the gateway <paramref name="kills"/> times under load, then lets everything end in peace.
    /// </summary>
    public async Task RunAsync(Random random, int kills)
    {
        var service = ServeAsync(new Random(random.Next()));
        var holders = Enumerable.Range(0, Holders).Select(_ => HoldAsync(new Random(random.Next()))).ToList();
        try
        {
            while (Kills < kills)
            {
                if (random.Next(6) == 0)
                {
                    await KillAtStartAsync(random);
                }

                await using var gateway = await GatewayProcess.StartAsync(_options);
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(MaxLifeMs)), TimeProvider.System);
                await gateway.KillAsync();
                Kills++;
            }
        }
        finally
        {
            _ending = true;
            await Task.WhenAll(holders);
        }

        await CheckHealedAsync();
        await EndServiceAsync();
        await service;
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _service.DisposeAsync();
        _files.Dispose();
    }

    private async Task KillAtStartAsync(Random random)
    {
        await using var gateway = GatewayProcess.Launch(_options);
        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(MaxStartMs)), TimeProvider.System);
        await gateway.KillAsync();
        KillsAtStart++;
    }

    /// <summary>One holder; its client sends one request after the other until the world ends.</summary>
    private async Task HoldAsync(Random random)
    {
        var mine = new long[Resources];
        while (!_ending)
        {
            var resource = random.Next(Resources);
            mine[resource] = Choose(random, ref _granted[resource], mine[resource]);
            var method =
                random.Next(8) switch
                { 0 => HttpMethod.Get, 1 => HttpMethod.Delete, 2 => HttpMethod.Post, _ => HttpMethod.Put };
            var answer = await _client.SendAsync(Gateway, method, Path(resource), mine[resource]);
            if (answer.Status is null)
            {
                await Task.Delay(AfterNoAnswer, TimeProvider.System);
            }
        }
    }

    /// <summary>
    /// Takes the lock over, works beside the holder of today, or goes on with a token that may long be stale.
    /// </summary>
    private static long Choose(Random random, ref long granted, long mine) => random.Next(25) switch
    {
        0 => Interlocked.Increment(ref granted),
        < 7 => Math.Max(1, Volatile.Read(ref granted)),
        _ => Math.Max(1, mine),
    };

    /// <summary>
    /// The service takes its time over each request, and ends it whether or not the gateway is still there.
    /// </summary>
    private async Task ServeAsync(Random random)
    {
        List<Task> open = [];
        while (true)
        {
            var arrival = await _service.NextArrivalAsync();
            if (arrival.Entry.Resource == $"/{EndOfService}")
            {
                arrival.Release();
                await Task.WhenAll(open);
                return;
            }

            open.Add(EndAsync(arrival, TimeSpan.FromMilliseconds(random.Next(MaxServiceMs))));
        }

        static async Task EndAsync(ServiceArrival arrival, TimeSpan after)
        {
            await Task.Delay(after, TimeProvider.System);
            arrival.Release();
            await arrival.WaitForEndAsync();
        }
    }

    /// <summary>After the last kill the next holder gets through and everyone before is stale (I7).</summary>
    private async Task CheckHealedAsync()
    {
        await using var gateway = await GatewayProcess.StartAsync(_options);
        for (var resource = 0; resource < Resources; resource++)
        {
            var newest = Interlocked.Increment(ref _granted[resource]);
            (await _client.SendAsync(Gateway, HttpMethod.Put, Path(resource), newest)).Status.ShouldBe(200);
            (await _client.SendAsync(Gateway, HttpMethod.Put, Path(resource), newest - 1)).Status.ShouldBe(409);
        }
    }

    private async Task EndServiceAsync()
    {
        using var client = new HttpClient { BaseAddress = _service.Address };
        using var response = await client.GetAsync(EndOfService);
    }

    private static string Path(int resource) => $"/orders/{resource}";
}
