using System.CommandLine;
using System.Globalization;
using FenceGateway.Simulation;
using FenceGateway.Simulation.World;

var seeds =
    new Option<int>("--seeds") { Description = "How many runs. Default: 1000", DefaultValueFactory = _ => 1000 };
var from = new Option<int>("--from") { Description = "The first seed. Default: 1", DefaultValueFactory = _ => 1 };
var flaw = new Option<Flaw>("--flaw") { Description = "What to break, to see that it is found. Default: None" };
var trace = new Option<bool>("--trace") { Description = "Print what happened in each run that breaks something" };
var fingerprints =
    new Option<bool>("--fingerprints") { Description = "Print what tells whether two runs were the same" };
var root = new RootCommand(
    "Simulates fleets of gateways: each run is a seed, and the same seed is the same "
        + "run.") { seeds, from, flaw, trace, fingerprints };
root.SetAction(arguments =>
{
    var (first, count) = (arguments.GetValue(from), arguments.GetValue(seeds));
    var (requests, violations, said) = (0L, 0L, TimeProvider.System.GetTimestamp());
    for (var seed = first; seed < first + count; seed++)
    {
        var run = SimulatedRun.Execute(seed, arguments.GetValue(flaw));
        requests += run.Requests;
        violations += run.Violations.Count;
        foreach (var violation in run.Violations)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}: {violation}"));
        }

        if (arguments.GetValue(fingerprints))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}: {run.Fingerprint:x16}"));
        }

        if (arguments.GetValue(trace) && run.Violations.Count > 0)
        {
            run.Faults.ToList().ForEach(Console.WriteLine);
            run.History.Answers.ToList().ForEach(answer => Console.WriteLine($"{answer.Resource}: {answer}"));
            run.History.Writes.ToList().ForEach(write => Console.WriteLine($"{write.Resource}: {write}"));
        }

        if (!Console.IsOutputRedirected && TimeProvider.System.GetElapsedTime(said) > TimeSpan.FromSeconds(10))
        {
            said = TimeProvider.System.GetTimestamp();
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture, $"{seed - first + 1} of {count} runs, {requests} requests"));
        }
    }

    Console.WriteLine(
        string.Create(CultureInfo.InvariantCulture, $"{count} runs, {requests} requests, {violations} violations"));
    return violations == 0 ? 0 : 1;
});
return await root.Parse(args).InvokeAsync();
