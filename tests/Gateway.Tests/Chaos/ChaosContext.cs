using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Tests.Configuration;
using FenceGateway.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Tests.Chaos;

/// <summary>
/// What chaos needs around it: a configuration with the route <c>r</c>, and requests that are about to be forwarded on
/// it.
/// </summary>
internal sealed class ChaosContext : IDisposable
{
    private readonly ConfigurationFolder _folder = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public ChaosContext() => Report = new ChaosReport(
        _services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), NullLogger<ChaosReport>.Instance);

    public ManualTimeProvider Time { get; } = new();

    public ChaosReport Report { get; }

    public static DefaultHttpContext Request()
    {
        var context = new DefaultHttpContext();
        context.Features.Set(new GatewayRequest { CorrelationId = "1", CorrelationHeader = "X-Correlation-Id" });
        context.Features.Set<IReverseProxyFeature>(new ReverseProxyFeature
        {
            Route = new RouteModel(new RouteConfig { RouteId = "r" }, new ClusterState("c"), HttpTransformer.Empty),
            Cluster = new ClusterModel(new ClusterConfig(), new HttpMessageInvoker(new SocketsHttpHandler())),
            AllDestinations = [],
            AvailableDestinations = [new DestinationState("a")],
        });
        return context;
    }

    public ChaosRule Rule(ChaosRuleOptions options, Func<double>? randomizer = null) =>
        new("rule", options, Report, Time, randomizer);

    public async Task<ChaosMiddleware> MiddlewareAsync(RequestDelegate next, string rule)
    {
        _folder.Write($$"""
            {
              "ReverseProxy": {
                "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/{**all}" } } },
                "Clusters": { "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
              },
              "FenceGateway": { "Chaos": { "Enabled": true, "Rules": { "rule": { "Route": "r", "InjectionRate": 1, {{rule}} } } } }
            }
            """);
        var configuration = await _folder.LoadAsync();
        var rules = new ChaosRules(
            configuration.Part(current => new ChaosSettings(current.Options.Chaos, current.Routes)),
            new ChaosSwitch(true), Report, Time, NullLogger<ChaosRules>.Instance);
        return new ChaosMiddleware(next, rules);
    }

    public void Dispose()
    {
        _services.Dispose();
        _folder.Dispose();
    }
}
