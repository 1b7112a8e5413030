using System.Diagnostics.Metrics;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Fencing;

/// <summary>The fence's instruments. Tags are from closed sets: outcome, mode, and the policy's name.</summary>
internal sealed class FencingMetrics
{
    private readonly Counter<long> _checks;
    private readonly Histogram<double> _wait;
    private readonly Histogram<double> _write;

    public FencingMetrics(IMeterFactory meters, FenceTable table)
    {
        var meter = meters.Create("FenceGateway");
        _checks = meter.CreateCounter<long>(
            "fencegateway.fence.checks", "{request}", "Requests on fenced routes, by what the fence said.");
        _wait = meter.CreateHistogram<double>(
            "fencegateway.fence.wait.duration", "s",
            "How long requests waited for the token store and for older writes.");
        _write = meter.CreateHistogram<double>(
            "fencegateway.fence.write.duration", "s", "How long admitted writes were in flight.");
        meter.CreateObservableGauge(
            "fencegateway.fence.in_flight", () => table.CountActive().InFlight, "{write}",
            "Admitted writes in flight.");
        meter.CreateObservableGauge(
            "fencegateway.fence.in_doubt", () => table.CountActive().InDoubt, "{token}",
            "Tokens with writes whose end is unknown.");
        meter.CreateObservableGauge(
            "fencegateway.fence.resources", () => table.Count, "{resource}", "Resources whose local state is held.");
    }

    public bool TimesWrites => _write.Enabled;

    public void Check(FencingPolicy policy, FenceOutcome outcome)
    {
        if (_checks.Enabled)
        {
            _checks.Add(
                1,
                new KeyValuePair<string, object?>("fencegateway.outcome", outcome.Name()),
                new KeyValuePair<string, object?>("fencegateway.mode", policy.Mode.Name()),
                new KeyValuePair<string, object?>("fencegateway.policy", policy.Name));
        }
    }

    public void Waited(FencingPolicy policy, AdmissionStatus status, TimeSpan duration)
    {
        if (_wait.Enabled)
        {
            _wait.Record(
                duration.TotalSeconds,
                new KeyValuePair<string, object?>("fencegateway.admission", status.Name()),
                new KeyValuePair<string, object?>("fencegateway.policy", policy.Name));
        }
    }

    public void Wrote(FencingPolicy policy, FenceOutcome outcome, TimeSpan duration) =>
        _write.Record(
            duration.TotalSeconds,
            new KeyValuePair<string, object?>("fencegateway.outcome", outcome.Name()),
            new KeyValuePair<string, object?>("fencegateway.policy", policy.Name));
}

internal static class FencingTagValues
{
    public static string Name(this FencingMode mode) => mode switch
    {
        FencingMode.Enforce => "enforce",
        FencingMode.Report => "report",
        _ => "off",
    };

    public static string Name(this AdmissionStatus status) => status switch
    {
        AdmissionStatus.Admitted => "admitted",
        AdmissionStatus.Stale => "stale",
        AdmissionStatus.Draining => "draining",
        _ => "unavailable",
    };
}
