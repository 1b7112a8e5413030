namespace FenceGateway.TestKit;

/// <summary>
/// The rules about faults of a fleet: what must not happen while one lasts, and what must once it is over.
/// </summary>
internal static class FleetRules
{
    /// <summary>
    /// I4: without a store nothing is admitted that was not registered before it went, and nothing at all once the
    /// sessions are over.
    /// </summary>
    public static IEnumerable<HistoryViolation> NothingWithoutAStore(FleetHistory history)
    {
        if (history.Outages.Count == 0)
        {
            return [];
        }

        var first = history.Answers.GroupBy(a => (a.Gateway, a.Resource, a.Token)).ToDictionary(
            g => g.Key, g => g.Min(a => a.Sent));
        var arrival = history.Writes.Where(w => w.RequestId is not null)
            .GroupBy(w => w.RequestId!, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Min(w => w.Started), StringComparer.Ordinal);
        return history.Outages.SelectMany(Violations).DistinctBy(v => v.Resource);

        IEnumerable<HistoryViolation> Violations(StoreOutage outage) =>
            from answer in history.Answers
            where outage.Gateway is null || outage.Gateway == answer.Gateway
            where answer.Sent > outage.Gone && AdmittedBy(answer) < outage.Back
            let known = first[(answer.Gateway, answer.Resource, answer.Token)] < outage.Gone
            where !known || answer.Sent > outage.SessionsOver
            select new HistoryViolation(
                "I4",
                answer.Resource,
                $"{answer} was admitted without a store: {outage}"
                + (known ? ", after every session had ended" : ", a token that this gateway had never seen before"));

        long AdmittedBy(GatewayAnswer answer) =>
            arrival.TryGetValue(answer.RequestId, out var started) ? started
            : answer.ProvesAdmission ? answer.Answered!.Value
            : long.MaxValue;
    }

    /// <summary>I7: after faults heal, the highest holder is admitted within the bound.</summary>
    public static IEnumerable<HistoryViolation> HealedInTime(FleetHistory history) =>
        history.Recoveries.Where(r => r.Took > history.RecoveryBound).Select(r => new HistoryViolation(
            "I7", r.Resource,
            $"token {r.Token}, the highest, was not admitted by {r.Gateway} within {history.RecoveryBound}: {r.Took}"));

    /// <summary>I8: whoever has no part in a fault does not notice it.</summary>
    public static IEnumerable<HistoryViolation> OthersGoOn(FleetHistory history) =>
        from bystander in history.Bystanders
        let disturbed = history.Answers.FirstOrDefault(a =>
            a.Resource == bystander.Resource && a.Sent > bystander.From && a.Sent < bystander.Until
                && !a.ProvesAdmission)
        where disturbed is not null
        select new HistoryViolation(
            "I8", bystander.Resource, $"{disturbed}, although it had no part in the fault: {bystander}");

    /// <summary>I8: what is told to wait has something of the same resource to wait for: an older token.</summary>
    public static IEnumerable<HistoryViolation> DrainingHasCause(FleetHistory history) =>
        history.Answers.GroupBy(a => a.Resource, StringComparer.Ordinal).SelectMany(
            g => DrainingHasCause(g.Key, [.. g]).Take(1));

    private static IEnumerable<HistoryViolation> DrainingHasCause(string resource, List<GatewayAnswer> answers)
    {
        var presented = new Queue<GatewayAnswer>(answers.OrderBy(a => a.Sent));
        var lowest = long.MaxValue;
        foreach (var waiting in answers.Where(a => a.IsDraining).OrderBy(a => a.Answered))
        {
            while (presented.TryPeek(out var next) && next.Sent < waiting.Answered)
            {
                lowest = Math.Min(lowest, presented.Dequeue().Token);
            }

            if (lowest >= waiting.Token)
            {
                yield return new(
                    "I8", resource, $"{waiting} was told to wait although nobody had presented an older token");
            }
        }
    }
}
