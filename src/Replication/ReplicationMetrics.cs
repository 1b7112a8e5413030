using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace FenceGateway.Replication;

/// <summary>The instruments of replication, one series for each region of the configuration.</summary>
public sealed class ReplicationMetrics
{
    private readonly ConcurrentDictionary<string, Func<TimeSpan>> _lags = new(StringComparer.Ordinal);
    private readonly Counter<long> _merged;

    /// <summary>Makes them.</summary>
    public ReplicationMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        var meter = meters.Create("FenceGateway");
        _merged = meter.CreateCounter<long>(
            "fencegateway.replication.merged", "{mark}", "Marks of other regions that were raised here.");
        _ = meter.CreateObservableGauge(
            "fencegateway.replication.lag",
            () => _lags.Select(l => new Measurement<double>(l.Value().TotalSeconds, Tag(l.Key))), "s",
            "How old the marks known from another region may be: since the begin of the last round that read all that "
                + "was new.");
    }

    internal void Watch(string region, Func<TimeSpan> lag) => _lags[region] = lag;

    internal void Merged(string region) => _merged.Add(1, Tag(region));

    private static KeyValuePair<string, object?> Tag(string region) => new("fencegateway.region", region);
}
