using System.Collections.Concurrent;
using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.World;

/// <summary>
/// Several gateways on one store in front of a slow service, and lock holders who hop between the gateways: some take a
/// new token, others do not notice and go on with their old one. Faults are injected while all of that goes on.
/// </summary>
internal sealed class FleetWorld : IAsyncDisposable
{
    private const int Resources = 3;
    private const int Holders = 4;

    /// <summary>
    /// With how many tokens holders write, and how many requests with stale ones are refused, at least in each run.
    /// </summary>
    private const int LeastTakeovers = 30;
    private const int LeastStale = 30;

    private static readonly FleetTimes Times = FleetTimes.Short;

    /// <summary>How long a client waits for an answer; a gateway that is stopped gives none.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1.5);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(45);
    private static readonly TimeSpan AfterRefusal = TimeSpan.FromMilliseconds(90);
    private static readonly TimeSpan BystanderPause = TimeSpan.FromMilliseconds(150);

    /// <summary>So many void rounds are run again: a machine that stands still more often proves nothing.</summary>
    private const int MostVoids = 3;

    /// <summary>
    /// How often threads take turns in a call of the store: timer, gateway, its sockets, server, and back.
    /// </summary>
    private const int TurnsPerCall = 8;

    private readonly SlowService _service;
    private readonly RecordingClient _client;
    private readonly LockService _locks = new(Resources);
    private readonly ConcurrentQueue<StoreOutage> _outages = new();
    private readonly List<Recovery> _recoveries = [];
    private readonly List<Bystander> _bystanders = [];
    private readonly List<string> _voids = [];
    private readonly ConcurrentDictionary<FleetGateway, int> _stoodBy = new();
    private Round _round = new();
    private readonly ConcurrentDictionary<(int Resource, long Token), bool> _tokens = new();
    private int _stale;
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
                .Select(
                    i => new FleetGateway(
                        ((char)('A' + i)).ToString(), service.Address, store, Prefix, Times, store.Servers.Count > 0)),
        ];
    }

    public StoreUnderTest Store { get; }

    /// <summary>The fleet's key prefix in the store.</summary>
    public string Prefix { get; }

    public IReadOnlyList<FleetGateway> Gateways { get; }

    /// <summary>How long a gateway's session lives without a heartbeat.</summary>
    public TimeSpan Ttl => Store.Grants(Times.SessionTtl);

    /// <summary>
    /// How long the machine may stand still without an effect on anybody: a call of the store may take half a session,
    /// and each of its turns may be late by this much.
    /// </summary>
    public TimeSpan Margin => Ttl / 2 / TurnsPerCall;

    /// <summary>The rounds of the last run that failed while the machine stood still for longer.</summary>
    public IReadOnlyList<string> Voids => _voids;

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
    /// Injects the fault again and again while holders work; each time everything has to heal before the next.
    /// Afterwards nothing is under way, and the history is complete. A round in which something took too long or
    /// somebody was disturbed, and the machine stood still, is void: it is run again, and what else happened in it
    /// counts.
    /// </summary>
    /// <exception cref="InvalidOperationException">The machine stood still again and again.</exception>
    public async Task RunAsync(Random random, int rounds, Func<Random, Task> fault)
    {
        _resting = false;
        _voids.Clear();
        _tokens.Clear();
        _stale = 0;
        var clients = Enumerable.Range(0, Holders).Select(_ => HoldAsync(new Random(random.Next())))
            .Concat(Gateways.Select(StandByAsync)).ToList();
        try
        {
            // Not a recovery: the first requests find everything cold.
            await HealAsync(random, record: false);
            for (var round = 0; round < rounds;)
            {
                _round = new Round();
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(100, 400)), TimeProvider.System);
                await fault(random);
                await HealAsync(random);
                await StoodByAsync();
                round += Stands(_round) ? 1 : 0;
            }

            await HadToDoWithEachOtherAsync();
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
            _round.Bystanders.Enqueue(new Bystander(gateway.Bystander, from, until));
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

    /// <summary>
    /// I7: with no fault left, the highest holder of each resource gets through, whichever gateway it asks.
    /// </summary>
    private async Task HealAsync(Random random, bool record = true)
    {
        var tokens = _locks.Close();
        var admissions = tokens.Select(
            (token, i) => RecoverAsync(Path(i), token, Gateways[random.Next(Gateways.Count)], record));
        await Task.WhenAll([.. admissions, .. Gateways.Select(g => RecoverAsync(g.Bystander, 1, g, record))]);
        _locks.Open();
    }

    /// <summary>
    /// Whether the round stands: nobody was disturbed and everything healed in time, or it was not for the machine.
    /// </summary>
    private bool Stands(Round round)
    {
        var violations = HistoryChecker.CheckTimed(
            History with { Recoveries = [.. round.Recoveries], Bystanders = [.. round.Bystanders] });
        if (violations.Count > 0 && Canary.LongestSince(round.Began) is var stood && stood > Margin)
        {
            _voids.Add(Canary.Say(stood, Margin, $"{Store.Provider}, {violations[0]}"));
            return _voids.Count <= MostVoids
                ? false
                : throw new InvalidOperationException(
                    $"No rounds to believe on this machine:\n{string.Join('\n', _voids)}");
        }

        _recoveries.AddRange(round.Recoveries);
        _bystanders.AddRange(round.Bystanders);
        return true;
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
                    _round.Recoveries.Enqueue(new Recovery(path, token, gateway.Name, took));
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
            // After a 503 most try again as they are, be it at another gateway; without an answer all do, so that old
            // tokens are still about when everything comes back.
            if (answer is null || (answer.Status is not null && (answer.Status != 503 || random.Next(3) == 0)))
            {
                resource = random.Next(Resources);
                mine[resource] = Choose(random, resource, mine[resource]);
            }

            gateway = random.Next(3) == 0 ? Gateways[random.Next(Gateways.Count)] : gateway;
            var method =
                random.Next(8) switch
                { 0 => HttpMethod.Get, 1 => HttpMethod.Delete, 2 => HttpMethod.Post, _ => HttpMethod.Put };
            answer = await SendAsync(gateway, method, Path(resource), mine[resource]);
            if (answer.Status == 200 && method != HttpMethod.Get)
            {
                _ = _tokens.TryAdd((resource, mine[resource]), true);
            }
            else if (answer.Problem == "fencing-token-stale")
            {
                _ = Interlocked.Increment(ref _stale);
            }

            await Task.Delay(answer.Status is 200 or 409 ? Pause : AfterRefusal, TimeProvider.System);
        }
    }

    /// <summary>
    /// Takes the lock over, works beside the holder of today, or goes on with a token that may long be stale.
    /// </summary>
    private long Choose(Random random, int resource, long mine) => random.Next(10) switch
    {
        0 => _locks.Grant(resource),
        < 4 => _locks.Newest(resource),
        _ => Math.Max(1, mine),
    };

    private async Task StandByAsync(FleetGateway gateway)
    {
        while (!_resting)
        {
            _ = await SendAsync(gateway, HttpMethod.Put, gateway.Bystander, 1);
            _ = _stoodBy.AddOrUpdate(gateway, 1, (_, before) => before + 1);
            await Task.Delay(BystanderPause, TimeProvider.System);
        }
    }

    /// <summary>
    /// Completes when holders have taken over from each other, and been refused, often enough for a history that proves
    /// something: counted, since a slow machine takes longer for the same.
    /// </summary>
    private Task HadToDoWithEachOtherAsync() =>
        Eventually.IsSoAsync(
            () => _tokens.Count > LeastTakeovers && _stale > LeastStale, "takeovers and stale holders");

    /// <summary>
    /// Completes when whatever bystanders have sent up to now is answered: a round is judged by all of it.
    /// </summary>
    private async Task StoodByAsync()
    {
        var before = _stoodBy.ToDictionary();
        await Eventually.IsSoAsync(
            () => Gateways.All(gateway => _stoodBy.GetValueOrDefault(gateway) > before.GetValueOrDefault(gateway)),
            "an answer to every bystander");
    }

    private Task<GatewayAnswer> SendAsync(FleetGateway gateway, HttpMethod method, string path, long token) =>
        _client.SendAsync(gateway.Address, method, path, token, gateway.Name);

    private static string Path(int resource) => $"/orders/{resource}";

    /// <summary>What is told of a round before it is known whether it stands.</summary>
    private sealed class Round
    {
        public long Began { get; } = Canary.Now;

        public ConcurrentQueue<Recovery> Recoveries { get; } = new();

        public ConcurrentQueue<Bystander> Bystanders { get; } = new();
    }
}
