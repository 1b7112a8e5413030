using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Health;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.LoadBalancing;
using FenceGateway.Gateway.Overload;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Replication;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using FenceGateway.Gateway.Resilience.Retries;
using FenceGateway.Gateway.Shutdown;
using FenceGateway.TokenStore;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Hosting;

/// <summary>What the gateway is made of.</summary>
internal static class GatewayServices
{
    public static void AddGateway(this IServiceCollection services, LastGoodConfiguration configuration, TimeProvider time)
    {
        var options = configuration.Current.Options;
        services.AddSingleton(time);
        services.AddSingleton(configuration);
        services.AddMetrics();
        services.AddSingleton<AccessLog>();
        services.AddRouting();
        services.AddRequestTimeouts();
        services.AddTokenStore(options.TokenStore);
        services.AddFencing();
        services.AddRateLimits();
        services.AddReverseProxy()
            .AddResourceHash()
            .AddOwnDestinations()
            .AddAttemptRequests()
            .AddAnswerHeads();

        // Affinity's keys are made when affinity asks for them, not at each start.
        services.Remove(services.Single(static service =>
            service.ServiceType == typeof(IHostedService) && service.ImplementationType?.Assembly == typeof(KeyManagementOptions).Assembly));
        services.AddSingleton<RouteGenerations>();
        services.AddSingleton(provider => provider.GetRequiredService<RouteGenerations>().Provider);
        services.AddForwarding();
        services.AddResilience();
        services.AddOverload();
        services.AddChaos();

        services.AddSingleton<ShutdownSignal>();
        services.AddSingleton<HealthState>();
        services.AddSingleton<AdminStore>();
        services.AddSingleton<AdminResources>();
        services.AddSingleton<AdminClusters>();
        services.AddSingleton<AdminApi>();
        services.AddSingleton<HealthEndpoints>();
        services.AddSingleton<AdminServer>();

        // Started in this order, before the data listener; stopped in the reverse order, after it.
        services.AddHostedService(provider => ActivatorUtilities.CreateInstance<ShutdownSequence>(provider, options.Shutdown.Delay));
        services.AddReplication(options.TokenStore);
        services.AddIdempotency(options);
        services.AddHostedService(provider => provider.GetRequiredService<AdminServer>());
        services.AddHostedService<ConfigurationWatcher>();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Shutdown.Delay + options.Shutdown.Timeout);
    }

    private static void AddTokenStore(this IServiceCollection services, TokenStoreOptions options)
    {
        services.AddSingleton(provider => TokenStores.Create(options, provider));
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<StoreClient>(provider, new StoreClientOptions
        {
            TimeToLive = options.SessionTtl,
            RequireGrade = options.RequireGrade?.Grade(),
            WaitForStore = options.Provider.IsShared(),
        }));
        services.AddSingleton(provider => new FenceTable(
            provider.GetRequiredService<StoreClient>(), provider.GetRequiredService<TimeProvider>(), options.MaxActiveResources,
            options.RegistrationIdle));
    }

    private static void AddFencing(this IServiceCollection services)
    {
        services.AddSingleton<InDoubtHolds>();
        services.AddSingleton<FencedServices>();
        services.AddSingleton<FenceCheck>();
        services.AddSingleton<FenceRefusals>();
        services.AddSingleton<TemplateGuard>();
        services.AddSingleton<StoreBypass>();
        services.AddSingleton<FencingMetrics>();
    }

    private static void AddChaos(this IServiceCollection services)
    {
        services.AddSingleton<ChaosRules>();
        services.AddSingleton<ChaosReport>();
    }

    private static void AddOverload(this IServiceCollection services)
    {
        services.AddSingleton<InFlightRequests>();
        services.AddSingleton<Shedding>();
        services.AddSingleton<OverloadMetrics>();
    }

    private static void AddForwarding(this IServiceCollection services)
    {
        services.AddSingleton<ConnectTimeout>();
        services.AddSingleton<IForwarderHttpClientFactory, ServiceClientFactory>();
        services.AddSingleton<ForwardDeadline.Pool>();
        services.AddSingleton<Attempts>();
    }

    private static void AddResilience(this IServiceCollection services)
    {
        services.AddSingleton<FencedWaiters>();
        services.AddSingleton<BulkheadRegistry>();
        services.AddSingleton<BulkheadMetrics>();
        services.AddSingleton<CircuitMetrics>();
        services.AddSingleton<CircuitEvents>();
        services.AddSingleton<CircuitRegistry>();
        services.AddSingleton<ResilienceRegistry>();
        services.AddSingleton<RetryMetrics>();
    }
}
