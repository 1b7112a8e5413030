using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FenceGateway.TestKit.Tests.History;

/// <summary>No correct history is refused, and no mutation of one that breaks a rule goes unseen.</summary>
[Properties(MaxTest = 500, EndSize = 200)]
public sealed class HistoryCheckerProperties
{
    private static readonly Arbitrary<int[]> Steps = Gen.ArrayOf(Gen.Choose(0, 9_999)).ToArbitrary();

    [Property]
    public Property Check_CorrectGateway_NoViolation() =>
        Prop.ForAll(Steps, steps =>
        {
            var history = CorrectGateway.Play(steps);
            HistoryChecker.Check(history.Writes, history.Answers).ShouldBeEmpty();
        });

    [Property]
    public Property Check_TokensOfTwoAppliedWritesSwapped_I1() =>
        Caught("I1", (history, random) =>
        {
            var (first, second) = PickPair(history, random, (a, b) => a.Resource == b.Resource && a.Token < b.Token);
            return Rewrite(
                history,
                w => w == first ? w with { Token = second.Token } : w == second ? w with { Token = first.Token } : w);
        });

    [Property]
    public Property Check_WriteEndsAfterANewerTokenArrived_I3() =>
        Caught("I3", (history, random) =>
        {
            var (first, second) = PickPair(history, random, (a, b) => a.Resource == b.Resource && a.Token < b.Token);
            return Rewrite(history, w => w == first ? w with { Ended = second.Ended } : w);
        });

    [Property]
    public Property Check_WriteSentTwice_I6() =>
        Caught("I6", (history, random) =>
        {
            var write = history.Writes[random.Next(history.Writes.Count)];
            const long Later = 1_000_000;
            return (
                [.. history.Writes, write with { Started = Later, AppliedAt = null, Ended = Later }], history.Answers);
        });

    [Property]
    public Property Check_StaleWriteSlipsThroughAtTheEnd_I2() =>
        Caught("I2", (history, random) =>
        {
            const long Later = 1_000_000;
            var newest = history.Writes.FindLast(w => w.Resource == CorrectGateway.Last)!;
            var token = random.NextInt64(1, newest.Token);
            return (
                [.. history.Writes, new ServiceWrite("late", newest.Resource, token, Later + 1, Later + 2, Later + 3)],
                [.. history.Answers, new GatewayAnswer("late", newest.Resource, token, Later, Later + 4, 200, null)]);
        });

    [Property]
    public Property Check_WitnessesOfAStaleAnswerRemoved_I5() =>
        Caught("I5", (history, random) =>
        {
            var stale = Pick(history.Answers.FindAll(a => a.IsStale), random);
            return (
                history.Writes, history.Answers.FindAll(a => a.Resource != stale.Resource || a.Token <= stale.Token));
        });

    [Property]
    public Property Check_ForwardedWriteToldStale_R9() =>
        Caught("R9", (history, random) =>
        {
            var write = Pick(history.Writes, random);
            return (history.Writes, history.Answers.ConvertAll(a => a.RequestId == write.RequestId
                ? a with { Answered = a.Answered ?? long.MaxValue, Status = 409, Problem = "fencing-token-stale" }
                : a));
        });

    [Property]
    public Property Check_OneTokenChangedAtTheService_R10() =>
        Caught("R10", (history, random) =>
        {
            var write = Pick(history.Writes, random);
            return Rewrite(history, w => w == write ? w with { Token = w.Token + 1 } : w);
        });

    private static Property Caught(
        string rule, Func<HistoryBuilder, Random, (List<ServiceWrite> Writes, List<GatewayAnswer> Answers)> mutate) =>
        Prop.ForAll(Steps, Gen.Choose(0, int.MaxValue).ToArbitrary(), (steps, seed) =>
        {
            var (writes, answers) = mutate(CorrectGateway.Play(steps), new Random(seed));
            HistoryChecker.Check(writes, answers).Select(v => v.Rule).ShouldContain(rule);
        });

    private static (List<ServiceWrite> Writes, List<GatewayAnswer> Answers) Rewrite(
        HistoryBuilder history,
        Converter<ServiceWrite, ServiceWrite> change) => (history.Writes.ConvertAll(change), history.Answers);

    private static T Pick<T>(List<T> from, Random random) => from[random.Next(from.Count)];

    private static (ServiceWrite First, ServiceWrite Second) PickPair(
        HistoryBuilder history, Random random, Func<ServiceWrite, ServiceWrite, bool> condition)
    {
        var applied = history.Writes.FindAll(w => w.AppliedAt is not null);
        return Pick([.. applied.SelectMany(a => applied.Where(b => condition(a, b)).Select(b => (a, b)))], random);
    }
}
