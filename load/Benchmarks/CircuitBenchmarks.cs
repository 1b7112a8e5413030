using System.Diagnostics.Metrics;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Benchmarks;

/// <summary>What a circuit breaker adds to every attempt, and what refusing one costs.</summary>
[MemoryDiagnoser]
public class CircuitBenchmarks
{
    private static readonly AttemptResult Success = new(
        ForwardEnd.Answered, AttemptFault.None, 200, TimeSpan.FromMilliseconds(1));
    private static readonly AttemptResult Neutral = Success with { Fault = AttemptFault.Client };

    private DefaultHttpContext _context = null!;
    private ReverseProxyFeature _proxy = null!;
    private ClusterCircuits _circuits = null!;
    private CircuitBreakerMiddleware _middleware = null!;
    private IReadOnlyList<DestinationState> _destinations = null!;

    [Params(1, 3, 64)]
    public int Destinations { get; set; }

    [Params(false, true)]
    public bool IsOneOpen { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        var metrics = new CircuitMetrics(meters);
        var events = new CircuitEvents(metrics, NullLogger<Circuit>.Instance);
        var policy = new CircuitBreakerPolicy(
            0.5, 20, TimeSpan.FromSeconds(10), TimeSpan.FromHours(1), 1, TimeSpan.FromSeconds(1),
            new StatusSet([502, 503, 504]));
        string[] names = [.. Enumerable.Range(0, Destinations).Select(i => $"destination-{i}")];
        _circuits = new ClusterCircuits(
            "orders",
            "default",
            [.. names.Select(n => new Circuit(new CircuitName("orders", n, "default"), "http://a/", policy, events, TimeProvider.System))],
            metrics);
        if (IsOneOpen)
        {
            _circuits.All[^1].Isolate("benchmark");
        }

        _destinations = [.. names.Select(n => new DestinationState(n))];
        _proxy =
            new ReverseProxyFeature { AvailableDestinations = _destinations, ProxiedDestination = _destinations[0] };
        _context = new DefaultHttpContext();
        _context.Features.Set(new GatewayRequest { CorrelationId = "1", CorrelationHeader = "X-Correlation-Id" });
        _context.Features.Set<IReverseProxyFeature>(_proxy);
        _context.SetEndpoint(new Endpoint(
            null, new EndpointMetadataCollection(new RouteMechanisms { Circuits = _circuits }), "benchmark"));
        var attempts = new Attempts(new ForwardDeadline.Pool(TimeProvider.System), TimeProvider.System);
        _middleware = new CircuitBreakerMiddleware(static _ => Task.CompletedTask, attempts);
    }

    [Benchmark]
    public void Report() => _circuits.Report(_proxy, Success);

    [Benchmark]
    public void ReportNeutral() => _circuits.Report(_proxy, Neutral);

    /// <summary>With one destination and that one open: a refusal, with its answer.</summary>
    [Benchmark]
    public Task Middleware()
    {
        _proxy.AvailableDestinations = _destinations;
        return _middleware.InvokeAsync(_context);
    }
}
