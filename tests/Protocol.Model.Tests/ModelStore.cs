using FenceGateway.Fencing;

namespace FenceGateway.Protocol.Model.Tests;

/// <summary>
/// The store of the model: the product's own <see cref="ResourceState"/>, asked once for each question and remembered.
/// Everything about a session's end but the comparison of times is the model's: "ended" is within every hold, "hold
/// over" is after it.
/// </summary>
internal sealed class ModelStore(ModelFlaw flaw)
{
    // Any moments that stand so: the hold of an ended session is not over, that of one whose hold is over is.
    private const long Hold = 10;
    private const long Now = 10;
    private const long EndedAt = 10;
    private const long HoldOverSince = 0;

    private static readonly string[] Names = ["A", "A'", "B", "B'", "C", "C'"];

    private readonly Dictionary<ulong, (ulong Registrations, byte Mark, EnterStatus? Reply)> _known = [];

    /// <summary>Answers asked of the product's state machine.</summary>
    public int Asked => _known.Count;

    /// <summary>
    /// Carries a step out: changes registrations and mark, and says what is replied to an Enter; null when the session
    /// has ended.
    /// </summary>
    /// <param name="gateways">All of them.</param>
    /// <param name="mark">The mark, before and after.</param>
    /// <param name="asking">Whose step it is.</param>
    /// <param name="step">The step.</param>
    public EnterStatus? Take(Span<ModelGateway> gateways, ref byte mark, int asking, LateStep step)
    {
        ref var session = ref step.OfOldSession ? ref gateways[asking].Old : ref gateways[asking].Current;
        if (step.Kind == StepKind.Enter && session.Status != SessionStatus.Alive)
        {
            return null;
        }

        var key = Key(gateways, mark, asking, step);
        if (!_known.TryGetValue(key, out var answer))
        {
            answer = Ask(gateways, mark, asking, step);
            _known.Add(key, answer);
        }

        mark = answer.Mark;
        var bits = new BitReader(answer.Registrations);
        foreach (ref var gateway in gateways)
        {
            (gateway.Current.Registered, gateway.Current.Sequence) = (bits.Read(2), bits.Read(2));
            (gateway.Old.Registered, gateway.Old.Sequence) = (bits.Read(2), bits.Read(2));
        }

        return answer.Reply;
    }

    private (ulong Registrations, byte Mark, EnterStatus? Reply) Ask(
        Span<ModelGateway> gateways, byte mark, int asking, LateStep step)
    {
        var writers = new List<RegisteredWriter>();
        for (var i = 0; i < gateways.Length; i++)
        {
            Add(writers, Names[2 * i], gateways[i].Current);
            Add(writers, Names[2 * i + 1], gateways[i].Old);
        }

        var state = ResourceState.Restore(mark, writers);
        var name = Names[2 * asking + (step.OfOldSession ? 1 : 0)];
        EnterStatus? reply = null;
        if (step.Kind == StepKind.Enter)
        {
            var sequence = flaw == ModelFlaw.EntersWithoutSequence ? ModelGateway.Latest : step.Sequence;
            var hold = flaw == ModelFlaw.NoInDoubtHold ? 0 : Hold;
            reply = state.Enter(name, step.Token, step.Oldest, sequence, hold, Now).Status;
            if (flaw == ModelFlaw.ForgetsWritesWithItsOwnToken && reply == EnterStatus.Draining
                && step.Oldest == step.Token)
            {
                state.Withdraw(name, step.Sequence);
            }
        }
        else
        {
            state.Withdraw(name, flaw == ModelFlaw.WithdrawsWithoutSequence ? ModelGateway.Latest : step.Sequence);
        }

        var bits = new BitWriter();
        for (var i = 0; i < 2 * gateways.Length; i++)
        {
            var writer = state.Writers.FirstOrDefault(w => w.Session == Names[i]);
            bits.Write((int)writer.Token, 2);
            bits.Write((int)writer.Sequence, 2);
        }

        return (bits.Value, (byte)state.Mark, reply);
    }

    private static void Add(List<RegisteredWriter> writers, string name, SessionView session)
    {
        if (session.Registered != 0)
        {
            long? endedAt = session.Status switch
            {
                SessionStatus.Alive => null,
                SessionStatus.Ended => EndedAt,
                _ => HoldOverSince,
            };
            writers.Add(new RegisteredWriter(name, session.Registered, session.Sequence, endedAt));
        }
    }

    private static ulong Key(Span<ModelGateway> gateways, byte mark, int asking, LateStep step)
    {
        var bits = new BitWriter();
        bits.Write(mark, 2);
        bits.Write(asking, 2);
        bits.Write((int)step.Kind, 2);
        bits.Write(step.OfOldSession ? 1 : 0, 1);
        bits.Write(step.Token, 2);
        bits.Write(step.Oldest, 2);
        bits.Write(step.Sequence, 2);
        foreach (ref var gateway in gateways)
        {
            Write(ref bits, gateway.Current);
            Write(ref bits, gateway.Old);
        }

        return bits.Value;
    }

    private static void Write(ref BitWriter bits, SessionView session)
    {
        bits.Write((int)session.Status, 2);
        bits.Write(session.Registered, 2);
        bits.Write(session.Sequence, 2);
    }
}
