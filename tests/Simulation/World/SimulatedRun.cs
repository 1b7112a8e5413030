using FenceGateway.Simulation.Kernel;
using FenceGateway.TestKit;

namespace FenceGateway.Simulation.World;

/// <summary>One run: what a seed makes of a fleet, and the verdict on it.</summary>
/// <param name="Seed">Repeats it exactly.</param>
/// <param name="Requests">So many were sent.</param>
/// <param name="Fingerprint">Of all that happened: the same for each run of the seed.</param>
/// <param name="Violations">What it breaks.</param>
/// <param name="History">What happened.</param>
/// <param name="Faults">What was done to whom.</param>
internal sealed record SimulatedRun(
    int Seed, int Requests, long Fingerprint, IReadOnlyList<HistoryViolation> Violations, FleetHistory History,
    IReadOnlyList<string> Faults)
{
    /// <summary>A store that may forget marks leaves these.</summary>
    private static readonly string[] PromisedInAnyCase = ["I4", "I6", "I7", "I8", "R9", "R10"];

    private static readonly TimeSpan Load = TimeSpan.FromSeconds(8);

    public static SimulatedRun Execute(int seed, Flaw flaw = Flaw.None)
    {
        var (scheduler, random, clock) = (new Scheduler(), new Random(seed), new EventClock());
        using var fleet = new SimulatedFleet(scheduler, random, clock, flaw);
        var holders = new Holders(scheduler, random, fleet, clock);
        holders.Begin();
        var faults = new FaultPlan(scheduler, random, fleet, clock, flaw);
        scheduler.RunUntil(Load.Ticks);
        faults.End();
        holders.End();
        scheduler.RunUntil((Load + Times.Recovery + TimeSpan.FromSeconds(3)).Ticks);

        var history = new FleetHistory
        {
            Writes = fleet.Service.Writes,
            Answers = holders.Answers,
            Outages = [.. faults.Outages],
            Recoveries = holders.Recoveries,
            RecoveryBound = Times.Recovery,
            Bystanders = holders.Undisturbed is { } bystander ? [bystander] : [],
        };
        var violations = HistoryChecker.Check(history).Concat(holders.Unproven).Where(
            v => !fleet.Forgets || PromisedInAnyCase.Contains(v.Rule))
            .Concat(fleet.Failures.Select(e => new HistoryViolation("Failure", "", e.ToString())));
        return new SimulatedRun(seed, holders.Answers.Count, Print(history), [.. violations], history, faults.Log);
    }

    private static long Print(FleetHistory history)
    {
        var hash = 14695981039346656037;
        foreach (var write in history.Writes)
        {
            Add(write.Started);
            Add(write.Token);
            Add(write.AppliedAt ?? 0);
            Add(write.Ended ?? 0);
        }

        foreach (var answer in history.Answers)
        {
            Add(answer.Sent);
            Add(answer.Answered ?? 0);
            Add(answer.Status ?? 0);
            Add(answer.Mark ?? 0);
        }

        return (long)hash;

        void Add(long number) => hash = (hash ^ (ulong)number) * 1099511628211;
    }
}
