using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace FenceGateway.TestKit;

/// <summary>Makes meters, and keeps them.</summary>
public sealed class TestMeters : IMeterFactory
{
    public ConcurrentBag<Meter> Created { get; } = [];

    public Meter Create(MeterOptions options)
    {
        var meter = new Meter(options);
        Created.Add(meter);
        return meter;
    }

    public void Dispose()
    {
    }
}
