using System.Globalization;
using FenceGateway.Simulation.Kernel;
using FenceGateway.Simulation.Parts;
using FenceGateway.TestKit;

namespace FenceGateway.Simulation.World;

/// <summary>Does something to the fleet now and then, until it is to be left alone.</summary>
internal sealed class FaultPlan
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(4);

    /// <summary>A session that was prolonged just before the store went is over by then, on every clock.</summary>
    private static readonly TimeSpan SessionsOver = Times.SessionTtl * 1.03;

    /// <summary>
    /// A machine is not suspended and its clock set within a session's life: no clock would be left that tells
    /// (docs/testing.md).
    /// </summary>
    private static readonly TimeSpan Calm = Times.SessionTtl * 1.1;

    private readonly HashSet<object> _hit = [];
    private readonly Scheduler _scheduler;
    private readonly Random _random;
    private readonly SimulatedFleet _fleet;
    private readonly EventClock _clock;
    private readonly Flaw _flaw;
    private readonly TimeSpan _pace;
    private readonly List<Outage> _outages = [];
    private bool _isOver;

    public FaultPlan(Scheduler scheduler, Random random, SimulatedFleet fleet, EventClock clock, Flaw flaw)
    {
        (_scheduler, _random, _fleet, _clock, _flaw) = (scheduler, random, fleet, clock, flaw);
        _pace = random.Between(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1.5));
        Next();
    }

    /// <summary>What was done, each with when: the event and the true time.</summary>
    public List<string> Log { get; } = [];

    /// <summary>When there was no store.</summary>
    public IEnumerable<StoreOutage> Outages =>
        _outages.Select(o => new StoreOutage(o.Gone, o.SessionsOver ?? o.Back, o.Back, o.Gateway));

    /// <summary>No more, and nothing that was begun is left.</summary>
    public void End()
    {
        _isOver = true;
        Note("all is healed");
        foreach (var outage in _outages.Where(o => o.Back == long.MaxValue))
        {
            outage.Back = _clock.Next();
        }

        _fleet.Heal();
    }

    private void Note(string what) => Log.Add(string.Create(
        CultureInfo.InvariantCulture,
        $"at {_clock.Next()}, {TimeSpan.FromTicks(_scheduler.Now).TotalSeconds:0.000} s: {what}"));

    private void Next() => _scheduler.After(_random.NextDouble() * 2 * _pace, () =>
    {
        if (!_isOver)
        {
            Strike();
            Next();
        }
    });

    private void Strike()
    {
        var place = _random.Of(_fleet.Places);
        var isSpared = _fleet.HasBystander && place == _fleet.Places[0];
        switch (_random.Next(22))
        {
            case < 3 when !isSpared && place.IsUp:
                Hit($"{place.Name} is stopped", place, () => place.Gateway!.Process.Stop(isSuspended: false), () => place.Gateway!.Process.Resume());
                break;
            case < 5 when !isSpared && place.IsUp:
                Hit($"{place.Name} is suspended", place, () => place.Gateway!.Process.Stop(isSuspended: true), () => place.Gateway!.Process.Resume(), Calm);
                break;
            case < 8 when !isSpared && place.IsUp:
                Hit($"{place.Name} is killed", place, () => place.Gateway!.Process.Kill(), () => _fleet.Start(place));
                break;
            case < 10 when !isSpared && place.IsUp && _hit.Add(place):
                Note($"{place.Name} shuts down");
                place.Gateway!.ShutDown(
                    () => _scheduler.After(
                        _isOver ? Shortest : _random.Between(Shortest, Longest), () => Restart(place)));
                break;
            case 10 when !isSpared && _fleet.Store.Nodes > 1 && !_hit.Contains(place.ToStore):
                var link = _random.Of(place.ToStore.Links);
                Hit($"{place.Name} is cut off from a node", link, link.Cut, link.Heal);
                break;
            case < 13 when !isSpared:
                CutOff(place.ToStore, [place], place.Name);
                break;
            case < 16 when !isSpared:
                Hit($"{place.Name} is cut off from the service", place.ToService, place.ToService.Cut, place.ToService.Heal);
                break;
            case 16 when place.IsUp && _hit.Add(place):
                Note($"{place.Name} has its clock set");
                place.Gateway!.Process.Clock.Skew = _random.Between(-Longest, Longest);
                _scheduler.After(Calm, () => _hit.Remove(place));
                break;
            case 17:
                Note($"{place.Name} reloads");
                place.Rules = PolicyRules.Next(_flaw, _random);
                break;
            case 18 when !_fleet.HasBystander:
                Hit("the store stands still", _fleet.Store, _fleet.Store.Stop, _fleet.Store.Resume);
                break;
            case > 18 when !_fleet.HasBystander && !_hit.Contains(_fleet.Store)
                && _fleet.Places.All(p => !_hit.Contains(p.ToStore)):
                _fleet.Store.Crash();
                CutOff(_fleet.Store, _fleet.Places, gateway: null);
                break;
        }
    }

    private void Restart(GatewayPlace place)
    {
        _hit.Remove(place);
        if (!place.Gateway!.Process.IsAlive)
        {
            _fleet.Start(place);
        }
    }

    private void CutOff(object target, IReadOnlyList<GatewayPlace> places, string? gateway)
    {
        if (_hit.Contains(target) || _hit.Contains(_fleet.Store) || places.Any(p => p.ToStore.Links.Any(_hit.Contains)))
        {
            return;
        }

        var outage = new Outage { Gateway = gateway };
        _outages.Add(outage);
        Hit(
            $"the store is away for {gateway ?? "all"}",
            target,
            () =>
            {
                foreach (var place in places)
                {
                    _hit.Add(place.ToStore);
                    place.ToStore.Cut();
                }

                outage.Gone = _clock.Next();
                _scheduler.After(
                    SessionsOver, () => outage.SessionsOver = outage.Back == long.MaxValue ? _clock.Next() : null);
            },
            () =>
            {
                outage.Back = _clock.Next();
                foreach (var place in places)
                {
                    _hit.Remove(place.ToStore);
                    place.ToStore.Heal();
                }
            });
    }

    /// <summary>For a while, unless something is being done to it already.</summary>
    private void Hit(string what, object target, Action begin, Action end, TimeSpan calm = default)
    {
        if (!_hit.Add(target))
        {
            return;
        }

        Note(what);
        begin();
        _scheduler.After(_random.Between(Shortest, Longest), () =>
        {
            if (!_isOver)
            {
                Note($"{what} no longer");
                end();
                _scheduler.After(calm, () => _hit.Remove(target));
            }
        });
    }

    private sealed class Outage
    {
        public string? Gateway { get; init; }

        public long Gone { get; set; }

        public long? SessionsOver { get; set; }

        public long Back { get; set; } = long.MaxValue;
    }
}
