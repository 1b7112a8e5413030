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

    private static readonly FleetTimes Times = FleetTimes.Short;

    /// <summary>How long a client waits for an answer; a gateway that is stopped gives none.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1.5);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(30);
    private static readonly TimeSpan AfterRefusal = TimeSpan.FromMilliseconds(60);
    private static readonly TimeSpan BystanderPause = TimeSpan.FromMilliseconds(100);

    private readonly SlowService _service;
    private readonly RecordingClient _client;
    private readonly LockService _locks = new(Resources);
    private readonly ConcurrentQueue<StoreOutage> _outages = new();
    private readonly ConcurrentQueue<Recovery> _recoveries = new();
    private readonly ConcurrentQueue<Bystander> _bystanders = new();
    private volatile bool _resting = true;

    private FleetWorld(SlowService service, StoreUnderTest store, int gateways)
    {
        _service = service;
        _client = new RecordingClient(service.Clock, Patience);
        Store = store;
        Prefix = store.NewPrefix();
        Gateways =
        [
            .. Enumerable.Range(0, gateways)
                .Select(i => new FleetGateway(((char)('A' + i)).ToString(), service.Address, store, Prefix, Times, store.Servers.Count > 0)),
        ];
    }

    public StoreUnderTest Store { get; }

    /// <summary>The fleet's key prefix in the store.</summary>
    public string Prefix { get; }

    public IReadOnlyList<FleetGateway> Gateways { get; }

    /// <summary>How long a gateway's session lives without a heartbeat.</summary>
    public TimeSpan Ttl => Store.Grants(Times.SessionTtl);

    /// <summary>The number of the moment, for the history.</summary>
    public long Now => _service.Clock.Next();

    public FleetHistory History => new()
    {
        Writes = _service.Writes,
        Answers = _client.Answers,
        Outages = [.. _outages],
        Recoveries = [.. _recoveries],
        RecoveryBound = Times.RecoveryBound(Ttl),
        Bystanders = [.. _bystanders],
    };

    /// <param name="random">For everything that happens in it.</param>
    /// <param name="store">A running store.</param>
    /// <param name="gateways">How many.</param>
    public static async Task<FleetWorld> StartAsync(Random random, StoreUnderTest store, int gateways)
    {
        var world = new FleetWorld(await SlowService.StartAsync(new Random(random.Next())), store, gateways);
        try
        {
            await Task.WhenAll(world.Gateways.Select(g => g.StartAsync()));
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }

        return world;
    }

    /// <summary>
    /// Injects the fault again and again while holders work; each time everything has to heal before the next. Afterwards
    /// nothing is under way, and the history is complete.
    /// </summary>
    public async Task RunAsync(Random random, int rounds, Func<Random, Task> fault)
    {
        _resting = false;
        var clients = Enumerable.Range(0, Holders).Select(_ => HoldAsync(new Random(random.Next()))).Concat(Gateways.Select(StandByAsync)).ToList();
        try
        {
            // Not a recovery: the first requests find everything cold.
            await HealAsync(random, record: false);
            for (var round = 0; round < rounds; round++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(100, 400)), TimeProvider.System);
                await fault(random);
                await HealAsync(random);
            }
        }
        finally
        {
            _resting = true;
            await Task.WhenAll(clients);
        }
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
        foreach (var gateway in Gateways)
        {
            await gateway.DisposeAsync();
        }

        _client.Dispose();
        await _service.DisposeAsync();
    }

    /// <summary>I7: with no fault left, the highest holder of each resource gets through, whichever gateway it asks.</summary>
    private async Task HealAsync(Random random, bool record = true)
    {
        var tokens = _locks.Close();
        var admissions = tokens.Select((token, i) => RecoverAsync(Path(i), token, Gateways[random.Next(Gateways.Count)], record));
        await Task.WhenAll([.. admissions, .. Gateways.Select(g => RecoverAsync(g.Bystander, 1, g, record))]);
        _locks.Open();
    }

    private async Task RecoverAsync(string path, long token, FleetGateway gateway, bool record)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var answer = await SendAsync(gateway, HttpMethod.Put, path, token);
            var took = TimeProvider.System.GetElapsedTime(start);
            if (answer.Status == 200 || took > Times.RecoveryBound(Ttl) + TimeSpan.FromSeconds(5))
            {
                if (record)
                {
                    _recoveries.Enqueue(new Recovery(path, token, gateway.Name, took));
                }

                return;
            }

            await Task.Delay(AfterRefusal, TimeProvider.System);
        }
    }

    /// <summary>One holder; its client sends one request after the other until the world rests.</summary>
    private async Task HoldAsync(Random random)
    {
        var mine = new long[Resources];
        var (resource, gateway) = (0, Gateways[0]);
        GatewayAnswer? answer = null;
        while (!_resting)
        {
            // After a 503 most try again as they are, be it at another gateway; without an answer all do, so that old tokens are
            // still about when everything comes back.
            if (answer is null || (answer.Status is not null && (answer.Status != 503 || random.Next(3) == 0)))
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
        while (!_resting)
        {
            _ = await SendAsync(gateway, HttpMethod.Put, gateway.Bystander, 1);
            await Task.Delay(BystanderPause, TimeProvider.System);
        }
    }

    private Task<GatewayAnswer> SendAsync(FleetGateway gateway, HttpMethod method, string path, long token) =>
        _client.SendAsync(gateway.Address, method, path, token, gateway.Name);

    private static string Path(int resource) => $"/orders/{resource}";
}
