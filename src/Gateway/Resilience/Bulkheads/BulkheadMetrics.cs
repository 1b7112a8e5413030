using System.Diagnostics.Metrics;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// The instruments of bulkheads. Tags are from closed sets: scope, the name of the route or cluster, and what happened.
/// </summary>
internal sealed class BulkheadMetrics
{
    private readonly Counter<long> _rejections;
    private readonly Histogram<double> _wait;
    private readonly BulkheadRegistry _registry;

    public BulkheadMetrics(IMeterFactory meters, BulkheadRegistry registry)
    {
        _registry = registry;
        var meter = meters.Create("FenceGateway");
        _rejections = meter.CreateCounter<long>(
            "fencegateway.bulkhead.rejections", "{request}", "Requests that got no place, by why.");
        _wait = meter.CreateHistogram<double>(
            "fencegateway.bulkhead.wait.duration", "s",
            "How long requests waited that found no place free, by how that ended.");
        meter.CreateObservableGauge(
            "fencegateway.bulkhead.in_use", () => Observe(b => b.InUse, r => r.CountAll().InUse), "{request}",
            "Places in use; for resources the sum over those of the route.");
        meter.CreateObservableGauge(
            "fencegateway.bulkhead.waiting", () => Observe(b => b.Waiting, r => r.CountAll().Waiting), "{request}",
            "Requests that wait for a place; for resources the sum over those of the route.");
        meter.CreateObservableGauge(
            "fencegateway.bulkhead.limit", () => Observe(b => b.Limit, r => r.Policy.PermitLimit), "{request}",
            "Places that there are now; for resources those of each.");
    }

    public void Rejected(BulkheadName name, PlaceStatus status) =>
        _rejections.Add(
            1, Scope(name), Name(name), new KeyValuePair<string, object?>("fencegateway.reason", status.Name()));

    /// <param name="name">The bulkhead.</param>
    /// <param name="status">How the wait ended; null when the client left or the gateway stopped.</param>
    /// <param name="duration">How long it was.</param>
    public void Waited(BulkheadName name, PlaceStatus? status, TimeSpan duration) =>
        _wait.Record(
            duration.TotalSeconds, Scope(name), Name(name),
            new KeyValuePair<string, object?>(
                "fencegateway.outcome", status is { } known ? known.Name() : "abandoned"));

    private IEnumerable<Measurement<int>> Observe(Func<Bulkhead, int> one, Func<ResourceBulkheads, int> many) =>
        _registry.All.Select(b => new Measurement<int>(one(b), Scope(b.Name), Name(b.Name)))
            .Concat(_registry.Resources.Select(r => new Measurement<int>(many(r), Scope(r.Name), Name(r.Name))));

    private static KeyValuePair<string, object?> Scope(BulkheadName name) =>
        new("fencegateway.scope", name.Scope.Name());

    private static KeyValuePair<string, object?> Name(BulkheadName name) => new("fencegateway.bulkhead", name.Name);
}

internal static class BulkheadTagValues
{
    public static string Name(this BulkheadScope scope) => scope switch
    {
        BulkheadScope.Resource => "resource",
        BulkheadScope.Route => "route",
        _ => "cluster",
    };

    public static string Name(this PlaceStatus status) => status switch
    {
        PlaceStatus.Taken => "taken",
        PlaceStatus.Full => "full",
        PlaceStatus.TimedOut => "timed_out",
        _ => "stale",
    };
}
