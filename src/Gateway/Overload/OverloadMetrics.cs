using System.Diagnostics.Metrics;

namespace FenceGateway.Gateway.Overload;

/// <summary>The instruments of the gateway's own load.</summary>
internal sealed class OverloadMetrics
{
    private readonly Counter<long> _shed;

    public OverloadMetrics(IMeterFactory meters, InFlightRequests inFlight)
    {
        var meter = meters.Create("FenceGateway");
        _shed = meter.CreateCounter<long>(
            "fencegateway.overload.shed", "{request}",
            "Requests that were turned away because the gateway had as many as it takes.");
        meter.CreateObservableGauge(
            "fencegateway.overload.in_flight", () => inFlight.Count, "{request}",
            "Requests in progress on the data listener.");
        meter.CreateObservableGauge(
            "fencegateway.overload.limit", () => inFlight.Limit, "{request}",
            "Requests in progress that the gateway takes.");
    }

    public void Shed() => _shed.Add(1);
}
