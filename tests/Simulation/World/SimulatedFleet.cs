using System.Diagnostics.Metrics;
using FenceGateway.Simulation.Kernel;
using FenceGateway.Simulation.Parts;
using FenceGateway.TestKit;

namespace FenceGateway.Simulation.World;

/// <summary>Two to four gateways, a store, a service and what lies between them, made from a seed.</summary>
internal sealed class SimulatedFleet : IDisposable
{
    private readonly Scheduler _scheduler;
    private readonly Random _random;
    private readonly SharedMeters _meters = new();
    private int _lives;

    public SimulatedFleet(Scheduler scheduler, Random random, EventClock clock, Flaw flaw)
    {
        (_scheduler, _random) = (scheduler, random);
        HasBystander = random.Chance(0.3);
        var (isQuorum, forgets) = (random.Chance(0.3), random.Chance(0.1));
        isQuorum = flaw == Flaw.NodeForgets || (isQuorum && flaw == Flaw.None);
        Forgets = forgets && !isQuorum && flaw == Flaw.None;
        Store = isQuorum
            ? new SimulatedQuorum(
                [.. Enumerable.Range(0, 3).Select(_ => new SimulatedNode(NewProcess()))], random, flaw)
            : new SimulatedStore(NewProcess(), scheduler, random, flaw, Forgets);
        Service = new SimulatedService(scheduler, random, clock, Times.InDoubtHold) { Trouble = random.Next(8) };
        var quality = new LinkQuality(
            random.NextDouble() * 0.05, random.NextDouble() * 0.03, random.NextDouble() * 0.03);
        Places =
        [
            .. Enumerable.Range(0, random.Next(2, 5)).Select(i => new GatewayPlace(
                scheduler, random, flaw, Store, Service)
            {
                Name = $"g{i}",
                ToStore = new LinkGroup(
                [
                    .. Enumerable.Range(0, Store.Nodes).Select(_ =>
                        new Link(scheduler, random, HasBystander && i == 0 ? LinkQuality.Good : quality)),
                ]),
                ToService = new Link(scheduler, random, LinkQuality.Good),
                Meters = _meters,
                Failed = Failures.Add,
            }),
        ];
        foreach (var place in Places)
        {
            Start(place);
        }
    }

    public IReadOnlyList<GatewayPlace> Places { get; }

    public ISharedStore Store { get; }

    public SimulatedService Service { get; }

    /// <summary>Whether one resource, its gateway and the store have no part in any fault.</summary>
    public bool HasBystander { get; }

    /// <summary>Whether the store is one that may lower a mark when it crashes.</summary>
    public bool Forgets { get; }

    /// <summary>What nobody has expected.</summary>
    public List<Exception> Failures { get; } = [];

    public void Start(GatewayPlace place)
    {
        place.Gateway = new SimulatedGateway(place, NewProcess(), $"{place.Name}.{++_lives}");
        place.Gateway.Start();
    }

    /// <summary>Everything that was done to anybody is over.</summary>
    public void Heal()
    {
        Service.Trouble = 0;
        Store.Resume();
        foreach (var place in Places)
        {
            place.ToStore.MakeGood();
            place.ToStore.Heal();
            place.ToService.Heal();
            place.Gateway!.Process.Resume();
            if (!place.Gateway.Process.IsAlive)
            {
                Start(place);
            }
        }
    }

    public void Dispose() => _meters.Dispose();

    private SimulatedProcess NewProcess() => new(_scheduler, _random, rate: 0.99 + (_random.NextDouble() * 0.02));

    /// <summary>One meter for all lives, gone with the run.</summary>
    private sealed class SharedMeters : IMeterFactory
    {
        private readonly Meter _meter = new(nameof(Simulation));

        public Meter Create(MeterOptions options) => _meter;

        public void Dispose() => _meter.Dispose();
    }
}
