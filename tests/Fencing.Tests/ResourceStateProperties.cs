using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FenceGateway.Fencing.Tests;

/// <summary>Random gateways that enter, write, crash and leave, with steps that are carried out late.</summary>
public sealed class ResourceStateProperties
{
    private const int Gateways = 3;
    private const long Hold = 4;

    private enum Kind
    {
        Enter,
        EnterAndLoseTheReply,
        EndWrites,
        Withdraw,
        WithdrawLate,
        Crash,
        Wait,
    }

    /// <summary>Whoever is admitted overlaps with no older write, of a living session or of a crashed one.</summary>
    [Property(MaxTest = 2_000)]
    public Property Enter_RandomSequences_NeverAdmitsBesideAnOlderWrite()
    {
        var steps =
            from gateway in Gen.Choose(0, Gateways - 1)
            from token in Gen.Choose(1, 5)
            from kind in Gen.Frequency(
                (5, Gen.Constant(Kind.Enter)), (1, Gen.Constant(Kind.EnterAndLoseTheReply)),
                (3, Gen.Constant(Kind.EndWrites)),
                (2, Gen.Constant(Kind.Withdraw)), (1, Gen.Constant(Kind.WithdrawLate)), (1, Gen.Constant(Kind.Crash)),
                (2, Gen.Constant(Kind.Wait)))
            select (gateway, (long)token, kind);
        return Prop.ForAll(Gen.ListOf(steps).Resize(60).ToArbitrary(), run =>
        {
            var world = new World();
            return run.All(step => world.Take(step.gateway, step.Item2, step.kind));
        });
    }

    /// <summary>
    /// Whatever happened, once nothing is in flight and every hold is over the highest token is admitted.
    /// </summary>
    [Property]
    public Property Enter_AfterEverythingHasEnded_IsAdmitted()
    {
        var writers = Gen.ListOf(
            from session in Gen.Choose(0, 5)
            from token in Gen.Choose(1, 6)
            from ended in Gen.Choose(0, 1)
            select (Session: $"s{session}", Token: (long)token, Ended: ended == 1));
        return Prop.ForAll(writers.ToArbitrary(), list =>
        {
            var distinct = list.DistinctBy(w => w.Session).ToArray();
            var state = ResourceState.Restore(
                6, distinct.Select(w => new RegisteredWriter(w.Session, w.Token, 1, w.Ended ? 0 : null)));
            foreach (var living in distinct.Where(w => !w.Ended))
            {
                state.Withdraw(living.Session, 1);
            }

            return state.Enter("new", 7, 7, 1, Hold, now: Hold).Status == EnterStatus.Admitted
                && state.Writers.Count == 1;
        });
    }

    private sealed class World
    {
        private readonly ResourceState _state = new();
        private readonly Gateway[] _gateways =
            [.. Enumerable.Range(0, Gateways).Select(i => new Gateway { Session = $"{i}" })];
        private readonly List<(long Token, long Until)> _left = [];
        private long _now;
        private long _sequence;

        public bool Take(int index, long token, Kind kind)
        {
            var gateway = _gateways[index];
            var before = _state.Mark;
            switch (kind)
            {
                case Kind.Enter or Kind.EnterAndLoseTheReply:
                    token = Math.Max(token, gateway.Sealed);
                    gateway.Sealed = token;
                    var step = _state.Enter(
                        gateway.Session, token, Math.Min(token, gateway.Active.Lowest), gateway.Last = ++_sequence,
                        Hold, _now);
                    if ((step.Status == EnterStatus.Stale) != (token < before))
                    {
                        return false;
                    }

                    if (step.Status == EnterStatus.Admitted && kind == Kind.Enter)
                    {
                        if (_gateways.Any(g => g.Active.Lowest < token)
                            || _left.Exists(l => l.Until > _now && l.Token < token))
                        {
                            return false;
                        }

                        gateway.Active.Begin(token);
                    }

                    break;
                case Kind.EndWrites or Kind.Withdraw:
                    while (!gateway.Active.IsEmpty)
                    {
                        gateway.Active.End(gateway.Active.Lowest);
                    }

                    gateway.Idle = gateway.Last;
                    if (kind == Kind.Withdraw)
                    {
                        _state.Withdraw(gateway.Session, gateway.Idle);
                    }

                    break;
                case Kind.WithdrawLate:
                    // Sent when nothing was in flight the last time, carried out now.
                    _state.Withdraw(gateway.Session, gateway.Idle);
                    break;
                case Kind.Crash:
                    if (!gateway.Active.IsEmpty)
                    {
                        _left.Add((gateway.Active.Lowest, _now + Hold));
                    }

                    _state.End(gateway.Session, _now);
                    _gateways[index] = new Gateway { Session = $"{gateway.Session}'" };
                    break;
                case Kind.Wait:
                    _now++;
                    break;
            }

            return _state.Mark >= before;
        }
    }

    private sealed class Gateway
    {
        public required string Session { get; init; }

        public ActiveWrites Active { get; } = new();

        /// <summary>Never goes back below it.</summary>
        public long Sealed { get; set; } = 1;

        /// <summary>
        /// The sequence of the latest step, and what it was when nothing was in flight the last time.
        /// </summary>
        public long Last { get; set; }

        public long Idle { get; set; }
    }
}
