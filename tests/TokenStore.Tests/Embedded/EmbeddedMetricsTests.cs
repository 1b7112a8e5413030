using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace FenceGateway.TokenStore.Tests.Embedded;

public sealed class EmbeddedMetricsTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Instruments_AfterRaises_CountCommitsResourcesAndLogWithoutTags()
    {
        var store = await _folder.OpenAsync();
        var seen = new ConcurrentDictionary<string, double>(StringComparer.Ordinal);
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (_folder.Meters.Created.Contains(instrument.Meter))
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Add(i, value, tags.Length));
        listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Add(i, value, tags.Length));
        listener.Start();

        await store.Enter("a", 1);
        await store.Enter("b", 1);
        await store.Enter("b", 1);
        listener.RecordObservableInstruments();
        seen["fencegateway.store.commit.records"].ShouldBe(2);
        seen.ShouldContainKey("fencegateway.store.commit.duration");
        seen["fencegateway.store.resources"].ShouldBe(2);
        seen["fencegateway.store.log.size"].ShouldBe(2 * (24 + 28 + 1));
        _folder.Meters.Created.ShouldAllBe(m => m.Name == "FenceGateway");
        await store.DisposeAsync();

        void Add(Instrument instrument, double value, int tags)
        {
            tags.ShouldBe(0);
            seen.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value);
        }
    }
}
