using FenceGateway.Fencing;
using FenceGateway.TokenStore.Quorum;

namespace FenceGateway.TokenStore.Tests.Quorum.Simulation;

/// <summary>
/// A gateway on the product's own state machine and the store's own decisions: its steps are taken in rounds that
/// others interrupt.
/// </summary>
internal sealed class SimulatedGateway(QuorumWorld world, string name)
{
    private readonly SessionWatch _watch = new(world.Nodes.Length, world.Clock);
    private readonly List<long> _writes = [];
    private IEnumerator<SimulatedRound>? _operation;
    private IEnumerator<SimulatedRound>? _beating;
    private string _session = "";
    private long _aliveUntil = -1;
    private long _generation = 1;
    private long _sequence;
    private GatewayFence _fence;
    private ActiveWrites _active = new();
    private (EnterStatus Status, long Mark)? _answer;
    private long _number;
    private long _starts;
    private long _beats;

    public IReadOnlyList<long> Writes => _writes;

    private int Count => world.Nodes.Length;

    /// <summary>
    /// The session has ended, and what it had in flight is in doubt: a step in its name would not know of that.
    /// </summary>
    private bool LeavesDoubt => _aliveUntil < 0 && world.Flaw != Flaw.DoubtForgotten;

    /// <summary>The session that lives; 0 when none does.</summary>
    private long Alive => world.Clock.Now < _aliveUntil ? _number : 0;

    private IEnumerable<int> All => Enumerable.Range(0, Count);

    public void Step()
    {
        if (_aliveUntil >= 0 && world.Clock.Now >= _aliveUntil)
        {
            EndSession();
        }

        var choice = world.Random.Next(100);
        if (choice < 35 && _beating is not null)
        {
            Advance(ref _beating);
        }
        else if (choice < 85 && _operation is not null)
        {
            Advance(ref _operation);
        }
        else if (_aliveUntil < 0)
        {
            _beating ??= Start().GetEnumerator();
        }
        else if (choice < 88)
        {
            _beating ??= Beat().GetEnumerator();
        }
        else if (choice < 93 && _writes.Count > 0)
        {
            var ended = world.Random.Next(_writes.Count);
            _active.End(_writes[ended]);
            _writes.RemoveAt(ended);
        }
        else if (choice < 95 && _fence.Entered is > 0 and var token && _writes.Count < 3)
        {
            Write(token);
        }
        else if (choice == 95 && world.Random.Next(20) == 0)
        {
            // The process dies.
            EndSession();
            (_operation, _fence, _active) = (null, default, new ActiveWrites());
        }
        else if (choice == 96 && Array.FindIndex(world.Nodes, static n => !n.Serves) is var lost and >= 0)
        {
            _operation ??= Resync(lost).GetEnumerator();
        }
        else if (choice > 96)
        {
            _active.Sweep(world.Clock.Now);
            var withdraws = _fence.CanWithdraw(_active, Alive) && world.Random.Next(3) == 0;
            _operation ??= (withdraws ? Withdraw() : Enter()).GetEnumerator();
        }
    }

    private static void Advance(ref IEnumerator<SimulatedRound>? operation)
    {
        if (operation!.Current is { IsOver: false } round)
        {
            round.Step();
        }
        else if (!operation.MoveNext())
        {
            operation = null;
        }
    }

    private void EndSession()
    {
        var until = _aliveUntil + QuorumWorld.Hold;
        world.Doubt(_writes, until);
        foreach (var token in _writes)
        {
            _active.EndInDoubt(token, world.Flaw == Flaw.DoubtForgotten ? 0 : until);
        }

        _writes.Clear();
        (_aliveUntil, _beating) = (-1, null);
        if (world.Flaw == Flaw.DoubtForgotten)
        {
            _operation ??= Enter().GetEnumerator();
        }
    }

    private void Write(long token)
    {
        if (_fence.Next(new FenceRequest(token), _active, Alive, world.Clock.Now).Kind == FenceStepKind.Admit)
        {
            world.Begin(token);
            _active.Begin(token);
            _writes.Add(token);
        }
    }

    private SimulatedRound Ask(IEnumerable<int> nodes, Func<NodeModel, object?> ask) =>
        new(world, _generation, nodes, ask);

    /// <summary>Whether the answers count; otherwise the generation is learnt.</summary>
    private bool Counts(SimulatedRound round)
    {
        _generation = Math.Max(_generation, round.LaterGeneration);
        return round.LaterGeneration == 0;
    }

    private IEnumerable<SimulatedRound> Start()
    {
        var number = ++_starts;
        var session = $"{name}.{number}";
        var sent = world.Clock.Now;
        var round = Ask(All, node => node.Start(session, 0));
        yield return round;
        if (Counts(round) && round.Answers.Values.Count(static a => a is true) >= world.Majority
            && sent + 36 > world.Clock.Now)
        {
            // What may be withdrawn of the one before is left to its hold.
            _fence.Leave(_number, _active);
            (_session, _number, _aliveUntil) = (session, number, sent + 36);
        }
    }

    private IEnumerable<SimulatedRound> Beat()
    {
        var (session, sent, beat) = (_session, world.Clock.Now, ++_beats);
        var round = Ask(
            All, node => node.Beat(session, beat) ? node.Sessions.ToArray() : node.Sessions.ContainsKey(session));
        yield return round;
        var beaten = round.Answers.Where(static a => a.Value is KeyValuePair<string, SessionSight>[]).ToArray();
        foreach (var (node, answer) in beaten)
        {
            foreach (var (other, sight) in (KeyValuePair<string, SessionSight>[])answer!)
            {
                _watch.See(node, other, sight, NodeModel.TimeToLive, round.Generation);
            }

            var shown = ((KeyValuePair<string, SessionSight>[])answer!).Select(static s => s.Key).ToHashSet(
                StringComparer.Ordinal);
            _watch.SeeOthersMissing(node, shown, round.Generation);
        }

        var counts = Counts(round);
        if (counts && beaten.Length >= world.Majority && session == _session && world.Clock.Now < _aliveUntil)
        {
            _aliveUntil = sent + 36;
            var unknown = round.Answers.Where(static a => a.Value is false).Select(static a => a.Key).ToArray();
            if (unknown.Length > 0)
            {
                yield return Ask(unknown, node => node.Start(session, beat));
            }
        }
        else if (counts && round.Answers.Values.Count(static a => a is bool) > Count - world.Majority
            && session == _session)
        {
            EndSession();
        }
    }

    private IEnumerable<SimulatedRound> Withdraw()
    {
        // Of what has begun since this was chosen, or was cut off.
        _active.Sweep(world.Clock.Now);
        var of = Alive;
        if (!_fence.TryBeginWithdraw(_active, of))
        {
            yield break;
        }

        var (session, sequence) = (_session, _sequence);
        var round = Ask(All, node =>
        {
            node.Withdraw(session, sequence);
            return true;
        });
        yield return round;
        _fence.EndWithdraw(of, Counts(round) && round.Answers.Values.Count(static a => a is true) >= world.Majority);
    }

    private IEnumerable<SimulatedRound> Enter()
    {
        _active.Sweep(world.Clock.Now);
        var wanted = new FenceRequest(
            Math.Max(1, _fence.Mark + (world.Random.Next(4) == 0 ? world.Random.Next(1, 3) : 0)), IsOverdue: true);
        var step = _fence.Next(wanted, _active, Alive, world.Clock.Now);
        if (step.Kind != FenceStepKind.Enter || LeavesDoubt)
        {
            yield break;
        }

        var asked = _fence.BeginEnter(step.Token, _number, isRegistering: true, _active);
        _answer = null;
        foreach (var round in Ask(asked, ++_sequence))
        {
            yield return round;
        }

        if (_answer is var (status, mark))
        {
            _fence.EndEnter(asked, status, mark, default);
        }
        else
        {
            _fence.FailEnter(notTaken: false);
        }
    }

    private IEnumerable<SimulatedRound> Ask(FenceEnter asked, long sequence)
    {
        var (session, token, oldest, known) = (_session, asked.Token, asked.Oldest, world.Answered);
        HashSet<string> gone = new(StringComparer.Ordinal);
        for (var rounds = 0; rounds < 3; rounds++)
        {
            var round = Ask(All, node => node.Enter(session, token, oldest, sequence, gone));
            yield return round;
            if (!Counts(round))
            {
                continue;
            }

            var answers = round.Answers.Where(static a => a.Value is NodeEnter)
                .ToDictionary(static a => a.Key, static a => (NodeEnter)a.Value!);
            var verdict = Decide(token, [.. answers.Values]);
            foreach (var (node, writer) in answers.SelectMany(static a => a.Value.Writers.Select(w => (a.Key, w))))
            {
                _watch.See(node, writer.Session, writer.Sight, writer.TimeToLive, round.Generation);
            }

            var before = gone.Count;
            if (verdict.Outcome is QuorumOutcome.Admitted or QuorumOutcome.Draining && rounds < 2)
            {
                foreach (var other in answers.Values.SelectMany(static a => a.Writers).Select(static w => w.Session)
                    .Distinct().ToArray())
                {
                    foreach (var end in EndIfStanding(other))
                    {
                        yield return end;
                    }

                    if (HasEndedFor(other))
                    {
                        gone.Add(other);
                    }
                }
            }

            if (verdict.Outcome == QuorumOutcome.Draining && rounds < 2
                && QuorumDecision.Superseded(token, [.. answers.Values]) is { Count: > 0 } superseded)
            {
                world.Superseded += superseded.Count;
                var removal = Ask(All, node =>
                {
                    superseded.ForEach(s => node.Withdraw(s.Session, s.Sequence));
                    return true;
                });
                yield return removal;
                if (!Counts(removal) || removal.Answers.Values.Count(static a => a is true) < world.Majority)
                {
                    yield break;
                }

                continue;
            }

            if (gone.Count > before)
            {
                continue;
            }

            foreach (var rest in Conclude(session, token, oldest, sequence, known, verdict, answers))
            {
                yield return rest;
            }

            yield break;
        }
    }

    private QuorumVerdict Decide(long token, IReadOnlyCollection<NodeEnter> answers)
    {
        var verdict = QuorumDecision.Enter(Count, token, answers);
        return world.Flaw == Flaw.Minority && verdict.Outcome == QuorumOutcome.Unknown
            && answers.Count(static a => a.Status == NodeEnterStatus.Accepted) >= world.Majority - 1
            ? new QuorumVerdict(QuorumOutcome.Admitted, token, true)
            : verdict;
    }

    private bool HasEndedFor(string session) => _watch.EndedFor(session) >= TimeSpan.FromTicks(QuorumWorld.Hold);

    private IEnumerable<SimulatedRound> Conclude(
        string session, long token, long oldest, long sequence, long known, QuorumVerdict verdict,
        Dictionary<int, NodeEnter> answers)
    {
        if (verdict.Outcome is QuorumOutcome.Unknown)
        {
            yield break;
        }

        if (verdict.Outcome == QuorumOutcome.SessionEnded)
        {
            if (session == _session)
            {
                EndSession();
            }

            yield break;
        }

        if (!verdict.Confirmed && world.Flaw != Flaw.NoWriteBack)
        {
            var raise = Ask(All, node =>
            {
                node.Raise(verdict.Mark);
                return true;
            });
            yield return raise;
            if (!Counts(raise) || raise.Answers.Values.Count(static a => a is true) < world.Majority)
            {
                yield break;
            }
        }

        if (verdict.Mark < known)
        {
            throw new InvalidOperationException($"I9: the mark {verdict.Mark} is answered after {known}");
        }

        world.Answered = Math.Max(world.Answered, verdict.Mark);
        _answer = (verdict.Outcome switch
        {
            QuorumOutcome.Admitted => EnterStatus.Admitted,
            QuorumOutcome.Stale => EnterStatus.Stale,
            _ => EnterStatus.Draining,
        }, verdict.Mark);
        if (verdict.Outcome == QuorumOutcome.Draining && oldest == token && !answers.Values.Any(static a => a.Had))
        {
            yield return Ask(
                answers.Where(static a => a.Value.Status == NodeEnterStatus.Accepted).Select(static a => a.Key), node =>
            {
                node.Withdraw(session, sequence);
                return true;
            });
        }
    }

    private IEnumerable<SimulatedRound> EndIfStanding(string session)
    {
        var stands = _watch.StandsStill(session, out var sights);
        if (world.Flaw == Flaw.NoWaitForSession)
        {
            (stands, sights) = (true, [.. world.Nodes.Select(n => (SessionSight?)n.Sight(session))]);
        }

        if (!stands || session == _session)
        {
            yield break;
        }

        var round = Ask(
            All.Where(node => sights[node] is not null),
            node => node.End(session, sights[Array.IndexOf(world.Nodes, node)]));
        yield return round;
        if (Counts(round))
        {
            foreach (var node in round.Answers.Where(static a => a.Value is true).Select(static a => a.Key))
            {
                _watch.See(
                    node, session, sights[node]!.Value with { Life = SessionLife.Ended }, TimeSpan.Zero,
                    round.Generation);
            }
        }
    }

    /// <summary>
    /// As <see cref="QuorumResync"/>; the steps at the lost node are bound to the claim and not guarded.
    /// </summary>
    private IEnumerable<SimulatedRound> Resync(int lost)
    {
        var (node, token) = (world.Nodes[lost], $"{name}.{world.Random.Next()}");
        if (node.Serves)
        {
            yield break;
        }

        // A claim runs out; here it is simply taken over.
        node.Claim = token;
        var generation = 1
            + world.Nodes.Where(static n => n.Serves).Select(static n => n.Generation).Append(_generation).Max();
        var advance = new SimulatedRound(world, 0, [], static _ => null);
        List<NodeModel> sources = [];
        foreach (var other in world.Nodes.Where(n => n != node))
        {
            yield return new SimulatedRound(world, 0, [], static _ => null);
            if (other.Serves && other.Generation < generation)
            {
                other.Generation = generation;
                sources.Add(other);
            }
        }

        foreach (var source in sources)
        {
            yield return advance;
            if (!source.Serves || source.Generation > generation || node.Claim != token
                || sources.Count < world.Majority)
            {
                yield break;
            }

            node.Merge(source);
        }

        yield return advance;
        if (node.Claim == token && sources.Count >= world.Majority)
        {
            (node.Serves, node.Generation, node.Claim) = (true, generation, null);
            _generation = Math.Max(_generation, generation);
            world.Resyncs++;
        }
    }
}
