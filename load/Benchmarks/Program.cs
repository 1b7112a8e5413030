using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using FenceGateway.Benchmarks.Allocations;

if (args is ["allocations", .. var rest])
{
    return await AllocationComparison.RunAsync(rest, Console.Out);
}

// In this process: a generated project of BenchmarkDotNet's would not know this repository's package versions.
var job = Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(4).WithIterationCount(12);
var summaries = BenchmarkSwitcher.FromAssembly(typeof(AllocationComparison).Assembly)
    .Run(args, DefaultConfig.Instance.AddJob(job).WithOptions(ConfigOptions.JoinSummary));
return summaries.Any(summary => summary.HasCriticalValidationErrors) ? 1 : 0;
