using System.Diagnostics;
using System.Diagnostics.Metrics;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Telemetry;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Requests;

/// <summary>
/// One line for each request, or for a share of them. It takes the values only, and leaves the text to the log's
/// thread: an event of Serilog's for each request would cost a third of what the request itself does.
/// </summary>
internal sealed class AccessLog
{
    private readonly LogOutput _output;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private double _ratio = 1;

    public AccessLog(
        LogOutput output, InForce<AccessLogOptions> options, IMeterFactory meters, TimeProvider time,
        ILogger<RequestMiddleware> logger)
    {
        (_output, _time, _logger) = (output, time, logger);
        options.Follow(current => Volatile.Write(ref _ratio, current.SamplingRatio));
        meters.Create("FenceGateway").CreateObservableCounter(
            "fencegateway.log.dropped", () => output.Dropped, "{line}", "Lines of the log that were dropped.");
    }

    /// <summary>The request has ended.</summary>
    public void Ended(HttpContext context, GatewayRequest request, TimeSpan latency)
    {
        // A flood of requests that were turned away must not flood the log.
        var level = request.IsShed ? LogLevel.Debug : LogLevel.Information;
        if (_logger.IsEnabled(level) && (MustSay(context, request) || IsSampled()))
        {
            _output.Write(Line(level, context, request, latency));
        }
    }

    private static bool MustSay(HttpContext context, GatewayRequest request) =>
        request.Problem is not null
        || context.Response.StatusCode >= StatusCodes.Status499ClientClosedRequest
        || request.Outcome is not (null or FenceOutcome.Admitted or FenceOutcome.Read or FenceOutcome.Unfenced
            or FenceOutcome.Replayed);

    private bool IsSampled() =>
        Volatile.Read(ref _ratio) is var ratio && (ratio >= 1 || Random.Shared.NextDouble() < ratio);

    private AccessLine Line(LogLevel level, HttpContext context, GatewayRequest request, TimeSpan latency)
    {
        var activity = Activity.Current;
        return new AccessLine
        {
            Timestamp = _time.GetUtcNow().UtcDateTime,
            Level = level == LogLevel.Debug ? nameof(LogLevel.Debug) : nameof(LogLevel.Information),
            Method = context.Request.Method,
            Path = context.Request.Path.Value,
            Route = context.GetEndpoint()?.Metadata.GetMetadata<RouteModel>()?.Config.RouteId,
            Status = context.Response.StatusCode,
            LatencyMs = Math.Round(latency.TotalMilliseconds, 3),
            CorrelationId = request.CorrelationId,
            TenantId = request.TenantId,
            TraceId = activity?.TraceId,
            SpanId = activity?.SpanId,
            Outcome = request.Outcome?.Name() ?? request.Problem?.Outcome,
            Resource = request.Fence?.Resource.Value,
            Token = request.Token.Value == 0 ? null : request.Token.Value,
        };
    }
}
