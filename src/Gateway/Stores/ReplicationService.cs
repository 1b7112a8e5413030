using FenceGateway.Gateway.Fencing;
using FenceGateway.Replication;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Stores;

/// <summary>Takes over the marks of every other region of the configuration while the gateway runs.</summary>
internal sealed class ReplicationService(
    TokenStoreOptions options,
    ReplicateOptions replicate,
    InDoubtHolds holds,
    StoreClient store,
    FenceTable fences,
    ReplicationMetrics metrics,
    TimeProvider time,
    ILogger<MarkReplicator> logger,
    IServiceProvider services) : IHostedService, IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<MarkReplicator> _replicators = [];
    private Task _running = Task.CompletedTask;
    private int _disposed;

    public IEnumerable<RegionStatus> Regions => _replicators.Select(replicator => replicator.Status);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _replicators.AddRange(replicate.Regions.Select(region => Make(region.Key, region.Value)));
        _running = Task.WhenAll(
            _replicators.Select(r => Task.Run(() => r.RunAsync(_stop.Token), CancellationToken.None)));
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _running;
    }

    public async ValueTask DisposeAsync()
    {
        // Registered as itself and as a hosted service.
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stop.CancelAsync();
        await _running;
        foreach (var replicator in _replicators)
        {
            await replicator.DisposeAsync();
        }

        _stop.Dispose();
    }

    private MarkReplicator Make(string name, RegionOptions region) => new(
        name,
        TokenStores.CreateShared(region, region.Provider!.Value, region.KeyPrefix ?? options.KeyPrefix, services),
        fences,
        store,
        new MarkReplicatorOptions { Interval = replicate.Interval, InDoubtHold = () => holds.Longest },
        time,
        logger,
        metrics);
}
