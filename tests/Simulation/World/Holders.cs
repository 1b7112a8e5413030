using System.Globalization;
using FenceGateway.Simulation.Kernel;
using FenceGateway.Simulation.Parts;
using FenceGateway.TestKit;

namespace FenceGateway.Simulation.World;

/// <summary>
/// Who holds the locks, and who held them and does not know that it has lost them: each grant has a higher token, and
/// its holder reads and writes for a while, through any gateway, and may fall asleep in between.
/// </summary>
internal sealed class Holders(Scheduler scheduler, Random random, SimulatedFleet fleet, EventClock clock)
{
    private const string Bystander = "bystander";

    private static readonly TimeSpan BetweenGrants = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan BetweenRequests = TimeSpan.FromMilliseconds(60);
    private static readonly TimeSpan LongestNap = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWay = TimeSpan.FromMilliseconds(1);

    private readonly List<GatewayAnswer> _answers = [];
    private readonly List<Recovery> _recoveries = [];
    private readonly List<HistoryViolation> _unproven = [];
    private readonly long[] _granted = new long[random.Next(1, 5)];
    private long _from;
    private bool _isOver;

    public IReadOnlyList<GatewayAnswer> Answers => _answers;

    public IReadOnlyList<Recovery> Recoveries => _recoveries;

    /// <summary>Each 409 whose mark was not durable when it was given (I5): only the store knows.</summary>
    public IReadOnlyList<HistoryViolation> Unproven => _unproven;

    public Bystander? Undisturbed { get; private set; }

    public void Begin()
    {
        for (var resource = 0; resource < _granted.Length; resource++)
        {
            Grant(resource);
        }

        if (fleet.HasBystander)
        {
            // When it has been started, and the session is there.
            scheduler.After(Patience, () =>
            {
                _from = clock.Next();
                StandBy();
            });
        }
    }

    /// <summary>No more grants but one each, the highest, whose holder tries until it is admitted.</summary>
    public void End()
    {
        _isOver = true;
        if (_from != 0)
        {
            Undisturbed = new Bystander(Bystander, _from, clock.Next());
        }

        for (var resource = 0; resource < _granted.Length; resource++)
        {
            Recover(Name(resource), ++_granted[resource], scheduler.Now);
        }
    }

    private static string Name(int resource) => string.Create(CultureInfo.InvariantCulture, $"orders/{resource}");

    private void Grant(int resource)
    {
        if (_isOver)
        {
            return;
        }

        var through = random.Next(2) == 0 ? random.Of(fleet.Places) : null;
        Hold(resource, ++_granted[resource], random.Next(1, 12), through);
        scheduler.After(random.NextDouble() * BetweenGrants, () => Grant(resource));
    }

    private void Hold(int resource, long token, int left, GatewayPlace? through)
    {
        if (left > 0 && !_isOver)
        {
            Send(through ?? random.Of(fleet.Places), Name(resource), token, isWrite: random.Next(4) > 0, static _ => { });
            scheduler.After(
                random.NextDouble() * (random.Chance(0.05) ? LongestNap : BetweenRequests),
                () => Hold(resource, token, left - 1, through));
        }
    }

    private void StandBy()
    {
        if (!_isOver)
        {
            Send(fleet.Places[0], Bystander, 1, isWrite: true, static _ => { });
            scheduler.After(BetweenRequests, StandBy);
        }
    }

    private void Recover(string resource, long token, long since)
    {
        var place = random.Of(fleet.Places);
        var isAnswered = false;
        Send(place, resource, token, isWrite: true, answer =>
        {
            isAnswered = true;
            if (answer.Status == 200)
            {
                _recoveries.Add(new Recovery(resource, token, place.Name, TimeSpan.FromTicks(scheduler.Now - since)));
            }
            else
            {
                scheduler.After(BetweenRequests, () => Again());
            }
        });
        scheduler.After(Patience, () =>
        {
            if (!isAnswered)
            {
                Again();
            }
        });

        void Again()
        {
            isAnswered = true;
            if (TimeSpan.FromTicks(scheduler.Now - since) is var took && took > Times.Recovery)
            {
                _recoveries.Add(new Recovery(resource, token, place.Name, took));
            }
            else
            {
                Recover(resource, token, since);
            }
        }
    }

    private void Send(GatewayPlace place, string resource, long token, bool isWrite, Action<GatewayAnswer> answered)
    {
        var at = _answers.Count;
        var id = at.ToString(CultureInfo.InvariantCulture);
        _answers.Add(
            new GatewayAnswer(
                id, resource, token, clock.Next(), Answered: null, Status: null, Problem: null, place.Name));
        scheduler.After(random.Between(TimeSpan.Zero, LongestWay), () =>
        {
            if (place.Gateway is not { Process: { IsAlive: true } process } gateway)
            {
                return;
            }

            gateway.Take(new SimulatedRequest(id, resource, token, isWrite), (status, problem, mark) =>
            {
                if (status == 409 && fleet.Store.DurableMark(resource) <= token)
                {
                    _unproven.Add(
                        new HistoryViolation(
                            "I5", resource, $"request {id} with token {token} is stale by a mark that is not durable"));
                }

                scheduler.After(random.Between(TimeSpan.Zero, LongestWay), () =>
                {
                    // What a gateway has sent before it died may have got through or not.
                    if (process.IsAlive || random.Next(2) == 0)
                    {
                        _answers[at] =
                            _answers[at] with
                            { Answered = clock.Next(), Status = status, Problem = problem, Mark = mark };
                        answered(_answers[at]);
                    }
                });
            });
        });
    }
}
