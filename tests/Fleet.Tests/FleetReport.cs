using FenceGateway.Fleet.Tests.World;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests;

/// <summary>Judges what a world has done, and tells enough of it to understand a violation.</summary>
internal static class FleetReport
{
    public static void Check(FleetWorld world, RandomSeed seed, ITestOutputHelper output)
    {
        var history = world.History;
        output.WriteLine($"{seed}: {Summary(history)}");
        output.WriteLine(string.Join('\n', world.Voids));
        var violations = HistoryChecker.Check(history);
        if (violations.Count > 0)
        {
            WriteTrace(world, violations[0].Resource, seed, output);
        }

        violations.ShouldBeEmpty();
        history.Answers.Where(a => a.Status == 200).Select(a => a.Gateway).Distinct().Count().ShouldBeGreaterThan(1);
    }

    /// <summary>What happened to the resource, event by event, in a file.</summary>
    public static void WriteTrace(FleetWorld world, string resource, RandomSeed seed, ITestOutputHelper output)
    {
        var file = Path.Combine(AppContext.BaseDirectory, $"trace-{world.Store.Provider}-{seed.Value}.txt");
        File.WriteAllText(file, Trace(world.History, resource));
        output.WriteLine($"{resource}, event by event: {file}");
    }

    /// <summary>How much happened.</summary>
    public static string Summary(FleetHistory history)
    {
        var answers = history.Answers;
        var applied = history.Writes.Where(w => w.AppliedAt is not null).ToList();
        var slowest = history.Recoveries.Select(r => r.Took).DefaultIfEmpty().Max();
        return $"{applied.Count} writes applied with {applied.Select(w => (w.Resource, w.Token)).Distinct().Count()} "
            + $"tokens, {answers.Count(a => a.Problem == "fencing-token-stale")} stale, "
            + $"{answers.Count(a => a.Problem == "fence-draining")} draining, "
            + $"{answers.Count(a => a.Problem == "token-store-unavailable")} without a store, "
            + $"{answers.Count(a => a.Status is null)} without an answer; {history.Outages.Count} outages; healed "
            + $"within {slowest.TotalMilliseconds:0} ms at most";
    }

    private static string Trace(FleetHistory history, string resource)
    {
        var sent = history.Answers.Where(a => a.Resource == resource).Select(
            a => (a.Sent, $"{a.RequestId}: {a.Token} -> {a.Gateway}"));
        var answered = history.Answers.Where(a => a.Resource == resource && a.Answered is not null)
            .Select(
                a => (a.Answered!.Value, $"{a.RequestId}: {a.Token} <- {a.Gateway} {a.Status} {a.Problem} {a.Mark}"));
        var arrived = history.Writes.Where(w => w.Resource == resource).Select(
            w => (w.Started, $"{w.RequestId}: {w.Token} arrives"));
        var ended = history.Writes.Where(w => w.Resource == resource && w.Ended is not null)
            .Select(w => (w.Ended!.Value, $"{w.RequestId}: {w.Token} ends"));
        var faults = history.Outages.SelectMany<StoreOutage, (long, string)>(o =>
            [(o.Gone, $"--- {o}"), (o.SessionsOver, "--- sessions over"), (o.Back, "--- store back")]);
        return string.Join('\n', sent.Concat(answered).Concat(arrived).Concat(ended).Concat(faults)
            .OrderBy(e => e.Item1).Select(e => $"{e.Item1} {e.Item2}"));
    }
}
