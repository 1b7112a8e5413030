using FenceGateway.Replication;

namespace FenceGateway.Gateway.Stores;

/// <summary>Registers replication between regions.</summary>
internal static class ReplicationExtensions
{
    /// <summary>Adds it where the configuration names other regions. After what opens the store.</summary>
    public static void AddReplication(this IServiceCollection services, TokenStoreOptions options)
    {
        if (options.Replicate is { } replicate)
        {
            services.AddSingleton<ReplicationMetrics>();
            services.AddSingleton(
                provider => ActivatorUtilities.CreateInstance<ReplicationService>(provider, options, replicate));
            services.AddHostedService(provider => provider.GetRequiredService<ReplicationService>());
        }
    }
}
