using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>
/// Everything that the instruments of one gateway measured; other gateways in this process do not count.
/// </summary>
internal sealed class MeterRecorder : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<Measured> _measured = new();

    public MeterRecorder(FencedGateway gateway)
    {
        var scope = gateway.Services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "FenceGateway" && ReferenceEquals(instrument.Meter.Scope, scope))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Keep(i, value, tags));
        _listener.SetMeasurementEventCallback<int>((i, value, tags, _) => Keep(i, value, tags));
        _listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Keep(i, value, tags));
        _listener.Start();
    }

    public IReadOnlyList<Measured> All => [.. _measured];

    public IReadOnlyList<Measured> Of(string instrument) => [.. _measured.Where(m => m.Instrument == instrument)];

    /// <summary>The outcomes that the fence counted, in order.</summary>
    public IReadOnlyList<string> Outcomes =>
        [.. Of("fencegateway.fence.checks").Select(m => m.Tags["fencegateway.outcome"])];

    /// <summary>The gauge's value now.</summary>
    public double Observe(string instrument)
    {
        _listener.RecordObservableInstruments();
        return Of(instrument)[^1].Value;
    }

    public void Dispose() => _listener.Dispose();

    private void Keep(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        Dictionary<string, string> kept = new(StringComparer.Ordinal);
        foreach (var (key, tag) in tags)
        {
            kept.Add(key, tag?.ToString() ?? "");
        }

        _measured.Enqueue(new Measured(instrument.Name, value, kept));
    }
}

internal sealed record Measured(string Instrument, double Value, IReadOnlyDictionary<string, string> Tags);
