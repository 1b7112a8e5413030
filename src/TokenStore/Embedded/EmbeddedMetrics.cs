using System.Diagnostics.Metrics;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>All instruments of the embedded store.</summary>
internal sealed class EmbeddedMetrics
{
    private readonly Histogram<double> _duration;
    private readonly Histogram<long> _records;
    private readonly Histogram<double> _snapshot;
    private readonly Counter<long> _failures;

    public EmbeddedMetrics(IMeterFactory meters, Func<long> resources, Func<long> logSize)
    {
        var meter = meters.Create("FenceGateway");
        _duration = meter.CreateHistogram<double>(
            "fencegateway.store.commit.duration", "s", "Time to write and flush one batch of raised marks.");
        _records = meter.CreateHistogram<long>(
            "fencegateway.store.commit.records", "{record}", "Records made durable by one flush.");
        _failures = meter.CreateCounter<long>(
            "fencegateway.store.commit.failures", "{commit}", "Writes or flushes that failed.");
        _snapshot = meter.CreateHistogram<double>(
            "fencegateway.store.snapshot.duration", "s", "Time to write a snapshot.");
        meter.CreateObservableGauge(
            "fencegateway.store.resources", resources, "{resource}", "Resources that have a mark.");
        meter.CreateObservableGauge(
            "fencegateway.store.log.size", logSize, "By", "Bytes of log since the last snapshot.");
    }

    public void Committed(TimeSpan elapsed, int records)
    {
        _duration.Record(elapsed.TotalSeconds);
        _records.Record(records);
    }

    public void Failed() => _failures.Add(1);

    public void Snapshot(TimeSpan elapsed) => _snapshot.Record(elapsed.TotalSeconds);
}
