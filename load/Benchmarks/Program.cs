using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using FenceGateway.Benchmarks.Allocations;
using FenceGateway.Benchmarks.Redis;
using FenceGateway.Benchmarks.Stores;

if (args is ["allocations", .. var rest])
{
    return await AllocationComparison.RunAsync(rest, Console.Out);
}

if (args is ["redis", .. var counts])
{
    return await RedisComparison.RunAsync(counts, Console.Out);
}

if (args is ["stores", .. var each])
{
    return await StoreComparison.RunAsync(each, Console.Out);
}

// In this process: a generated project of BenchmarkDotNet's would not know this repository's package versions.
var job = Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance).WithWarmupCount(4).WithIterationCount(12);
var summaries = BenchmarkSwitcher.FromAssembly(typeof(AllocationComparison).Assembly)
    .Run(args, DefaultConfig.Instance.AddJob(job).AddColumn(StatisticColumn.Min, StatisticColumn.Median).WithOptions(ConfigOptions.JoinSummary));
return summaries.Any(summary => summary.HasCriticalValidationErrors || summary.Reports.Any(report => !report.Success))
    ? 1
    : 0;
