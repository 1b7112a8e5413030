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
    /// I3: writes with different tokens never overlap. Up to the first violation everything of another token has ended
    /// before the latest write of the current one, so one candidate is enough.
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
                return (
                    "I5", $"{stale} has no witness: {best} had been presented and could have been recorded by then");
            }
        }

        return null;
    }

    private static long End(ServiceWrite write) => write.Ended ?? long.MaxValue;
}
