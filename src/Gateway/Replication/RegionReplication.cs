using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Hosting;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Replication;

namespace FenceGateway.Gateway.Replication;

/// <summary>Takes over the marks of the other regions while the gateway runs; does nothing where none is configured.</summary>
internal sealed class RegionReplication(
    LastGoodConfiguration configuration, FenceTable table, GatewaySession session, IServiceProvider services) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Read once: the token store's settings need a restart.
        var own = configuration.Current.Options.TokenStore;
        if (own.Replicate is not { } replicate)
        {
            return;
        }

        var replicators = replicate.Regions.Select(region => Make(region.Key, region.Value, own, replicate.Interval)).ToList();
        try
        {
            await Task.WhenAll(replicators.Select(replicator => replicator.RunAsync(stoppingToken)));
        }
        finally
        {
            foreach (var replicator in replicators)
            {
                await replicator.DisposeAsync();
            }
        }
    }

    private MarkReplicator Make(string name, RegionOptions region, TokenStoreOptions own, TimeSpan interval) =>
        ActivatorUtilities.CreateInstance<MarkReplicator>(
            services, name, TokenStores.Create(region, region.Provider!.Value, region.KeyPrefix ?? own.KeyPrefix, services), table, session,
            new MarkReplicatorOptions { Interval = interval, InDoubtHold = LongestHold });

    /// <summary>By the policies in force now: a mark that is taken over must end no hold.</summary>
    private TimeSpan LongestHold() => configuration.Current.LongestHold;
}
