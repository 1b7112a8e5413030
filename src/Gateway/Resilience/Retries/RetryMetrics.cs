using System.Diagnostics.Metrics;

namespace FenceGateway.Gateway.Resilience.Retries;

/// <summary>Why a request was tried again.</summary>
internal enum RetryReason
{
    Unreachable,
    TimedOut,
    Broken,
    Status,
}

/// <summary>The instruments of retries. Tags are from closed sets: the route's name and the reason.</summary>
internal sealed class RetryMetrics
{
    private readonly Counter<long> _retries;
    private readonly Counter<long> _outOfBudget;

    public RetryMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("FenceGateway");
        _retries = meter.CreateCounter<long>(
            "fencegateway.retries", "{attempt}", "Attempts after the first one, by why they were made.");
        _outOfBudget = meter.CreateCounter<long>(
            "fencegateway.retries.out_of_budget", "{request}",
            "Failed attempts that were not tried again for want of budget.");
    }

    public void Retried(string route, RetryReason reason) => _retries.Add(
        1,
        new KeyValuePair<string, object?>("fencegateway.route", route),
        new KeyValuePair<string, object?>("fencegateway.reason", reason switch
        {
            RetryReason.Unreachable => "unreachable",
            RetryReason.TimedOut => "timed_out",
            RetryReason.Broken => "broken",
            _ => "status",
        }));

    public void OutOfBudget(string route) =>
        _outOfBudget.Add(1, new KeyValuePair<string, object?>("fencegateway.route", route));
}
