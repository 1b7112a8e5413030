namespace FenceGateway.TestKit;

/// <summary>
/// Judges what happened at the service, and what clients were told, against the invariants of docs/protocol.md. Knows
/// nothing of the gateway's inside. O(n log n).
/// </summary>
/// <remarks>
/// It reports the first violation of each rule on each resource: what follows is most often the same mistake again.
/// I4, I7 and most of I8 need to be told which faults there were: <see cref="FleetHistory"/>.
/// </remarks>
public static class HistoryChecker
{
    /// <summary>Checks a history; an empty result means that it breaks nothing.</summary>
    /// <param name="writes">What arrived at the service.</param>
    /// <param name="answers">What clients saw; null when nobody looked, then only I1, I3 and I6 are checked.</param>
    /// <param name="barrier">
    /// Whether the policy drains (<c>Barrier: Drain</c>): without it I1 and I3 are not promised and not checked. A
    /// history in which a write outlived <c>InDoubtHold</c> has to be checked without it, too.
    /// </param>
    /// <exception cref="ArgumentException">The events of a write or an answer contradict each other.</exception>
    public static IReadOnlyList<HistoryViolation> Check(
        IEnumerable<ServiceWrite> writes, IEnumerable<GatewayAnswer>? answers = null, bool barrier = true)
    {
        var allWrites = writes.ToList();
        var allAnswers = (answers ?? []).ToList();
        HistoryEvents.Require(allWrites, allAnswers);

        List<HistoryViolation> violations =
            [.. RequestRules.SentOnce(allWrites), .. RequestRules.Told(allWrites, allAnswers)];
        var answersOf = allAnswers.ToLookup(a => a.Resource, StringComparer.Ordinal);
        var writesOf = allWrites.ToLookup(w => w.Resource, StringComparer.Ordinal);
        foreach (var resource in writesOf.Select(g => g.Key)
            .Union(answersOf.Select(g => g.Key), StringComparer.Ordinal))
        {
            violations.AddRange(CheckResource(resource, [.. writesOf[resource]], [.. answersOf[resource]], barrier));
        }

        return violations;
    }

    /// <summary>Checks what a fleet did, faults included, against all invariants.</summary>
    /// <exception cref="ArgumentException">The events of a write or an answer contradict each other.</exception>
    public static IReadOnlyList<HistoryViolation> Check(FleetHistory history) =>
    [
        .. Check(history.Writes, history.Answers),
        .. FleetRules.NothingWithoutAStore(history),
        .. CheckTimed(history),
        .. FleetRules.DrainingHasCause(history),
    ];

    /// <summary>
    /// Only what a machine that stands still can break: that everything healed in time (I7), and that others went on
    /// (I8).
    /// </summary>
    public static IReadOnlyList<HistoryViolation> CheckTimed(FleetHistory history) =>
        [.. FleetRules.HealedInTime(history), .. FleetRules.OthersGoOn(history)];

    private static IEnumerable<HistoryViolation> CheckResource(
        string resource, List<ServiceWrite> writes, List<GatewayAnswer> answers, bool barrier)
    {
        var found = new[]
        {
            barrier ? OrderRules.AppliedInOrder(writes) : null,
            MarkRules.Survives(writes, answers),
            barrier ? OrderRules.NoOverlap(writes) : null,
            OrderRules.StaleHasWitness(answers),
            MarkRules.Linearizable(answers),
        };
        return found.OfType<(string Rule, string Why)>().Select(v => new HistoryViolation(v.Rule, resource, v.Why));
    }
}
