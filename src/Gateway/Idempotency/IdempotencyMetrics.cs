using System.Diagnostics.Metrics;
using FenceGateway.Idempotency;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>What became of a request on a route with idempotency.</summary>
internal enum KeyedOutcome
{
    First,
    Replayed,
    InProgress,
    Reused,
    Unknown,
    Missing,
    Malformed,
    BadBody,
    Full,
}

/// <summary>What the store was waited for.</summary>
internal enum StoreStep
{
    Start,
    Complete,
}

/// <summary>
/// The instruments of idempotency. Tags are from closed sets: the route's name, the outcome, the step.
/// </summary>
internal sealed class IdempotencyMetrics
{
    private readonly Counter<long> _requests;
    private readonly Histogram<double> _store;

    public IdempotencyMetrics(IMeterFactory meters, IIdempotencyStore store)
    {
        var meter = meters.Create("FenceGateway");
        _requests = meter.CreateCounter<long>(
            "fencegateway.idempotency.requests", "{request}",
            "Writes that carry an Idempotency-Key or need one, by what became of them.");
        _store = meter.CreateHistogram<double>(
            "fencegateway.idempotency.store.duration", "s",
            "How long requests waited until their start or their answer was stored.");
        meter.CreateObservableGauge(
            "fencegateway.idempotency.entries", () => store.Count, "{entry}", "Keys that are remembered.");
        meter.CreateObservableGauge(
            "fencegateway.idempotency.size", () => store.Bytes, "By", "Bytes that stored answers take.");
    }

    public void Request(string route, KeyedOutcome outcome) => _requests.Add(
        1,
        new KeyValuePair<string, object?>("fencegateway.route", route),
        new KeyValuePair<string, object?>("fencegateway.outcome", outcome switch
        {
            KeyedOutcome.First => "first",
            KeyedOutcome.Replayed => "replayed",
            KeyedOutcome.InProgress => "in_progress",
            KeyedOutcome.Reused => "reused",
            KeyedOutcome.Unknown => "unknown",
            KeyedOutcome.Missing => "missing",
            KeyedOutcome.Malformed => "malformed",
            KeyedOutcome.BadBody => "bad_body",
            _ => "full",
        }));

    public void Stored(StoreStep step, TimeSpan duration) => _store.Record(
        duration.TotalSeconds,
        new KeyValuePair<string, object?>("fencegateway.step", step == StoreStep.Start ? "start" : "complete"));
}
