using System.Collections.Concurrent;
using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.World;

/// <summary>
/// Several gateways on one store in front of a slow service, and lock holders who hop between the gateways: some take a new
/// token, others do not notice and go on with their old one. Faults are injected while all of that goes on.
/// </summary>
internal sealed class FleetWorld : IAsyncDisposable
{
    private const int Resources = 3;
    private const int Holders = 4;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan AfterRefusal = TimeSpan.FromMilliseconds(30);
    private static readonly TimeSpan BystanderPause = TimeSpan.FromMilliseconds(50);

    private readonly SlowService _service;
    private readonly RecordingClient _client;
    private readonly LockService _locks = new(Resources);
    private readonly ConcurrentQueue<StoreOutage> _outages = new();
    private readonly ConcurrentQueue<Recovery> _recoveries = new();
    private readonly ConcurrentQueue<Bystander> _bystanders = new();
    private readonly List<Task> _clients = [];
    private volatile bool _ending;

    private FleetWorld(SlowService service, StoreUnderTest store, int gateways, bool proxied)
    {
        _service = service;
        _client = new RecordingClient(service.Clock, FleetTimes.ClientPatience);
        Store = store;
        var prefix = store.NewPrefix();
        Gateways =
        [
            .. Enumerable.Range(0, gateways)
                .Select(i => new FleetGateway(((char)('A' + i)).ToString(), service.Address, store, prefix, proxied)),
        ];
    }

    public StoreUnderTest Store { get; }

    public IReadOnlyList<FleetGateway> Gateways { get; }

    /// <summary>The number of the moment, for the history.</summary>
    public long Now => _service.Clock.Next();

    public FleetHistory History => new()
    {
        Writes = _service.Writes,
        Answers = _client.Answers,
        Outages = [.. _outages],
        Recoveries = [.. _recoveries],
        RecoveryBound = FleetTimes.RecoveryBound,
        Bystanders = [.. _bystanders],
    };

    /// <param name="random">For everything that happens in it.</param>
    /// <param name="store">A running store.</param>
    /// <param name="gateways">How many.</param>
    /// <param name="proxied">Whether each gateway reaches the store through proxies of its own.</param>
    public static async Task<FleetWorld> StartAsync(Random random, StoreUnderTest store, int gateways, bool proxied = false)
    {
        var world = new FleetWorld(await SlowService.StartAsync(new Random(random.Next())), store, gateways, proxied);
        try
        {
            await Task.WhenAll(world.Gateways.Select(g => g.StartAsync()));
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }

        world._clients.AddRange(Enumerable.Range(0, Holders).Select(_ => world.HoldAsync(new Random(random.Next()))));
        world._clients.AddRange(world.Gateways.Select(world.StandByAsync));
        return world;
    }

    /// <summary>Injects the fault again and again; each time everything has to heal before the next.</summary>
    public async Task RunAsync(Random random, int rounds, Func<Random, Task> fault)
    {
        await HealAsync(random);
        for (var round = 0; round < rounds; round++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(100, 400)), TimeProvider.System);
            await fault(random);
            await HealAsync(random);
        }
    }

    /// <summary>Lets everything end in peace; the history is complete then.</summary>
    public async Task EndAsync()
    {
        _ending = true;
        await Task.WhenAll(_clients);
        await _service.EndAsync();
    }

    public void Record(StoreOutage outage) => _outages.Enqueue(outage);

    /// <summary>From <paramref name="from"/> to now these gateways had no part in a fault.</summary>
    public void RecordBystanders(long from, params IEnumerable<FleetGateway> gateways)
    {
        var until = Now;
        foreach (var gateway in gateways)
        {
            _bystanders.Enqueue(new Bystander(gateway.Bystander, from, until));
        }
    }

    public async ValueTask DisposeAsync()
    {
        _ending = true;
        await Task.WhenAll(_clients);
        foreach (var gateway in Gateways)
        {
            await gateway.DisposeAsync();
        }

        _client.Dispose();
        await _service.DisposeAsync();
    }

    /// <summary>I7: with no fault left, the highest holder of each resource gets through, whichever gateway it asks.</summary>
    private async Task HealAsync(Random random)
    {
        var tokens = _locks.Close();
        var admissions = tokens.Select((token, i) => RecoverAsync(Path(i), token, Gateways[random.Next(Gateways.Count)]));
        await Task.WhenAll([.. admissions, .. Gateways.Select(g => RecoverAsync(g.Bystander, 1, g))]);
        _locks.Open();
    }

    private async Task RecoverAsync(string path, long token, FleetGateway gateway)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var answer = await SendAsync(gateway, HttpMethod.Put, path, token);
            var took = TimeProvider.System.GetElapsedTime(start);
            if (answer.Status == 200 || took > FleetTimes.RecoveryBound + TimeSpan.FromSeconds(5))
            {
                _recoveries.Enqueue(new Recovery(path, token, gateway.Name, took));
                return;
            }

            await Task.Delay(AfterRefusal, TimeProvider.System);
        }
    }

    /// <summary>One holder; its client sends one request after the other until the world ends.</summary>
    private async Task HoldAsync(Random random)
    {
        var mine = new long[Resources];
        var (resource, gateway) = (0, Gateways[0]);
        GatewayAnswer? answer = null;
        while (!_ending)
        {
            // After a 503 most try again as they are, be it at another gateway.
            if (answer?.Status != 503 || random.Next(3) == 0)
            {
                resource = random.Next(Resources);
                mine[resource] = Choose(random, resource, mine[resource]);
            }

            gateway = random.Next(3) == 0 ? Gateways[random.Next(Gateways.Count)] : gateway;
            var method = random.Next(8) switch { 0 => HttpMethod.Get, 1 => HttpMethod.Delete, 2 => HttpMethod.Post, _ => HttpMethod.Put };
            answer = await SendAsync(gateway, method, Path(resource), mine[resource]);
            await Task.Delay(answer.Status is 200 or 409 ? Pause : AfterRefusal, TimeProvider.System);
        }
    }

    /// <summary>Takes the lock over, works beside the holder of today, or goes on with a token that may long be stale.</summary>
    private long Choose(Random random, int resource, long mine) => random.Next(25) switch
    {
        0 => _locks.Grant(resource),
        < 7 => _locks.Newest(resource),
        _ => Math.Max(1, mine),
    };

    private async Task StandByAsync(FleetGateway gateway)
    {
        while (!_ending)
        {
            _ = await SendAsync(gateway, HttpMethod.Put, gateway.Bystander, 1);
            await Task.Delay(BystanderPause, TimeProvider.System);
        }
    }

    private Task<GatewayAnswer> SendAsync(FleetGateway gateway, HttpMethod method, string path, long token) =>
        _client.SendAsync(gateway.Address, method, path, token, gateway.Name);

    private static string Path(int resource) => $"/orders/{resource}";
}
