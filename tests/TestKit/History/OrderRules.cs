namespace FenceGateway.TestKit;

/// <summary>The rules about one resource. Each gives the first violation, or null.</summary>
internal static class OrderRules
{
    /// <summary>I1: applied tokens never decrease.</summary>
    public static (string Rule, string Why)? AppliedInOrder(List<ServiceWrite> writes)
    {
        ServiceWrite? highest = null;
        foreach (var write in writes.Where(w => w.AppliedAt is not null).OrderBy(w => w.AppliedAt))
        {
            if (highest is not null && write.Token < highest.Token)
            {
                return ("I1", $"{write} was applied after {highest}");
            }

            highest = write;
        }

        return null;
    }

    /// <summary>
    /// I2: once the mark is known to have stood at a token, no request with a lower one that is sent later is admitted, whatever
    /// was restarted in between. Known: the token arrived at the service, an answer proves it, or a 409 says so of a lower one.
    /// </summary>
    public static (string Rule, string Why)? MarkSurvives(List<ServiceWrite> writes, List<GatewayAnswer> answers)
    {
        var marks = new Queue<(long At, long Mark, object Event)>(
            writes.Select(w => (w.Started, w.Token, (object)w))
                .Concat(answers.Where(a => a.ProvesMark).Select(a => (a.Answered!.Value, a.Token, (object)a)))
                .Concat(answers.Where(a => a.IsStale && a.Token < long.MaxValue).Select(a => (a.Answered!.Value, a.Token + 1, (object)a)))
                .OrderBy(m => m.Item1));
        var arrived = writes.Where(w => w.RequestId is not null).ToLookup(w => w.RequestId, StringComparer.Ordinal);
        (long At, long Mark, object Event)? known = null;
        foreach (var answer in answers.OrderBy(a => a.Sent))
        {
            while (marks.TryPeek(out var mark) && mark.At < answer.Sent)
            {
                known = known is null || mark.Mark > known.Value.Mark ? mark : known;
                _ = marks.Dequeue();
            }

            if (known is { } k && answer.Token < k.Mark && (arrived.Contains(answer.RequestId) || answer.ProvesMark))
            {
                return ("I2", $"{answer} was admitted although the mark was at least {k.Mark} before it was sent, known from {k.Event}");
            }
        }

        return null;
    }

    /// <summary>
    /// I3: writes with different tokens never overlap. Up to the first violation everything of another token has ended before
    /// the latest write of the current one, so one candidate is enough.
    /// </summary>
    public static (string Rule, string Why)? NoOverlap(List<ServiceWrite> writes)
    {
        ServiceWrite? latest = null;
        foreach (var write in writes.OrderBy(w => w.Started))
        {
            if (latest is not null && latest.Token != write.Token && End(latest) > write.Started)
            {
                return ("I3", $"{write} arrived before {latest} had ended");
            }

            if (latest is null || latest.Token != write.Token || End(write) > End(latest))
            {
                latest = write;
            }
        }

        return null;
    }

    /// <summary>I5: before a 409 was answered, a higher token had been presented that may have been recorded.</summary>
    public static (string Rule, string Why)? StaleHasWitness(List<GatewayAnswer> answers)
    {
        var presented = new Queue<GatewayAnswer>(answers.Where(a => a.MayHaveRecorded).OrderBy(a => a.Sent));
        long highest = 0;
        foreach (var stale in answers.Where(a => a.IsStale).OrderBy(a => a.Answered))
        {
            while (presented.TryPeek(out var next) && next.Sent < stale.Answered)
            {
                highest = Math.Max(highest, presented.Dequeue().Token);
            }

            if (highest <= stale.Token)
            {
                var best = highest == 0 ? "no token" : $"no token above {highest}";
                return ("I5", $"{stale} has no witness: {best} had been presented and could have been recorded by then");
            }
        }

        return null;
    }

    private static long End(ServiceWrite write) => write.Ended ?? long.MaxValue;
}
