using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.Lifecycle;
using FenceGateway.Gateway.Listeners;
using FenceGateway.Gateway.LoadBalancing;
using FenceGateway.Gateway.Overload;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using FenceGateway.Gateway.Resilience.Retries;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Stores;
using FenceGateway.TokenStore;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Hosting;

/// <summary>What the gateway is made of.</summary>
internal static class GatewayServices
{
    public static void AddGateway(
        this IServiceCollection services, LastGoodConfiguration configuration, TimeProvider time)
    {
        var options = configuration.Current.Options;
        services.AddSingleton(time);
        services.AddConfiguration(configuration);
        services.AddMetrics();
        services.AddSingleton<AccessLog>();
        services.AddRouting();
        services.AddRequestTimeouts();
        services.AddCors();
        services.AddTokenStore(options.TokenStore, options.InstanceName);
        services.AddFencing();
        services.AddRateLimits();
        WebDavTargetTransform.AddTo(services.AddReverseProxy())
            .AddResourceHash()
            .AddOwnDestinations()
            .AddForwardedChain()
            .AddPathAsItCame()
            .AddAttemptRequests()
            .AddAnswerHeads();

        // Affinity's keys are made when affinity asks for them, not at each start.
        services.Remove(services.Single(static service =>
            service.ServiceType == typeof(IHostedService)
                && service.ImplementationType?.Assembly == typeof(KeyManagementOptions).Assembly));
        services.AddSingleton<RouteGenerations>();
        services.AddSingleton(provider => provider.GetRequiredService<RouteGenerations>().Provider);
        services.AddForwarding();
        services.AddResilience();
        services.AddOverload();
        services.AddChaos();

        services.AddSingleton<ShutdownSignal>();
        services.AddSingleton<RouterState>();
        services.AddSingleton<IConfigChangeListener>(static provider => provider.GetRequiredService<RouterState>());
        services.AddSingleton<HealthState>();
        services.AddAdmin(options.Admin);
        services.AddSingleton(
            provider => ActivatorUtilities.CreateInstance<OperatorChanges>(
                provider, options.TokenStore.RegistrationIdle));

        // Started in this order, before the data listener; stopped in the reverse order, after it.
        services.AddHostedService(
            provider => ActivatorUtilities.CreateInstance<ShutdownSequence>(provider, options.Shutdown.Delay));
        services.AddReplication(options.TokenStore);
        services.AddIdempotency(
            options.Idempotency, inMemory: options.TokenStore.Provider == TokenStoreProvider.Memory);
        services.AddHostedService(provider => provider.GetRequiredService<AdminServer>());
        services.AddSingleton<ServerCertificates>();
        services.AddHostedService<ConfigurationWatcher>();
        services.Configure<HostOptions>(
            host => host.ShutdownTimeout = options.Shutdown.Delay + options.Shutdown.Timeout);
    }

    /// <summary>What is in force, as a whole and in the parts that features follow.</summary>
    private static void AddConfiguration(this IServiceCollection services, LastGoodConfiguration configuration)
    {
        services.AddSingleton(configuration);
        services.AddSingleton(configuration.Part(static current => current.Fenced));
        services.AddSingleton(configuration.Part(static current => current.Options.Limits));
        services.AddSingleton(configuration.Part(static current => current.Options.AccessLog));
        services.AddSingleton(
            configuration.Part(static current => new ChaosSettings(current.Options.Chaos, current.Routes)));
        services.AddSingleton(configuration.Part(
            static current =>
                new IdempotencyNeed(current.ResiliencePolicies.Values.Any(policy => policy.Idempotency is not null))));
    }

    /// <summary>The admin listener and everything that is offered on it.</summary>
    private static void AddAdmin(this IServiceCollection services, AdminOptions options)
    {
        services.AddSingleton<StoreEndpoints>();
        services.AddSingleton<IAdminEndpoints>(provider => provider.GetRequiredService<StoreEndpoints>());
        services.AddSingleton<IAdminEndpoints, ResourceEndpoints>();
        services.AddSingleton<IAdminEndpoints, ClusterEndpoints>();
        services.AddSingleton<IAdminEndpoints, ConfigurationEndpoints>();
        services.AddSingleton<IAdminEndpoints, HealthEndpoints>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<AdminServer>(provider, options));
    }

    private static void AddTokenStore(this IServiceCollection services, TokenStoreOptions options, string? instanceName)
    {
        services.AddSingleton(provider => TokenStores.Create(options, provider));
        services.AddSingleton(
            provider => ActivatorUtilities.CreateInstance<StoreClient>(provider, new StoreClientOptions
            {
                TimeToLive = options.SessionTtl,
                InstanceName = instanceName,
                RequireGrade = options.RequireGrade?.Grade(),
                WaitForStore = options.Provider.IsShared(),
            }));
        services.AddSingleton(provider => new FenceTable(
            provider.GetRequiredService<StoreClient>(), provider.GetRequiredService<TimeProvider>(),
            options.MaxActiveResources,
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
