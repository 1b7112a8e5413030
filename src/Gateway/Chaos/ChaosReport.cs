using System.Diagnostics.Metrics;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Chaos;

/// <summary>What is injected.</summary>
internal enum ChaosKind
{
    Latency,
    Reset,
    ConnectionRefused,
    Outcome,
}

/// <summary>
/// Tells of each injection: the log, a counter, and a header of the answer, so that nobody takes it for a real fault.
/// </summary>
internal sealed class ChaosReport
{
    public const string Header = "FenceGateway-Chaos";

    private readonly Counter<long> _injections;
    private readonly ILogger<ChaosReport> _logger;

    public ChaosReport(IMeterFactory meters, ILogger<ChaosReport> logger)
    {
        _injections = meters.Create("FenceGateway").CreateCounter<long>(
            "fencegateway.chaos.injections", "{injection}", "What chaos rules have injected.");
        _logger = logger;
    }

    public void Injected(HttpContext context, string rule, ChaosKind kind)
    {
        var name = kind switch
        {
            ChaosKind.Latency => "latency",
            ChaosKind.Reset => "reset",
            ChaosKind.ConnectionRefused => "connection_refused",
            _ => "outcome",
        };
        _injections.Add(
            1,
            new KeyValuePair<string, object?>("fencegateway.rule", rule),
            new KeyValuePair<string, object?>("fencegateway.kind", name));
        var request = context.Request;
        _logger.Injected(
            rule, name, request.Method, request.Path.Value, context.GetRouteModel().Config.RouteId,
            context.Features.GetRequiredFeature<GatewayRequest>().CorrelationId);
        context.Response.OnStarting(() => Mark(context.Response, rule));
    }

    /// <summary>
    /// When the answer starts: what is set before, an answer of the gateway's own would take away again.
    /// </summary>
    private static Task Mark(HttpResponse response, string rule)
    {
        if (!response.Headers[Header].Contains(rule, StringComparer.Ordinal))
        {
            response.Headers.Append(Header, rule);
        }

        return Task.CompletedTask;
    }
}
