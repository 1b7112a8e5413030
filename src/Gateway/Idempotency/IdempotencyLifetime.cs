using FenceGateway.Gateway.Configuration;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Idempotency;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>
/// Opens the store before anything listens, if a policy needs it, and closes it after everything has stopped. If a reload
/// brings the first such policy, the store is opened then; until it is, requests with a key are refused.
/// </summary>
internal sealed class IdempotencyLifetime(
    IIdempotencyStore store, LastGoodConfiguration configuration, ILogger<IdempotencyLifetime> logger) : IHostedLifecycleService
{
    private readonly Lock _gate = new();
    private Task? _opening;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (NeedsStore(configuration.Current))
        {
            await (_opening = store.OpenAsync(cancellationToken).AsTask());
        }

        configuration.Follow(OpenIfNeeded);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // Not cancelled with the rest: what waits for the disk is written.
    public Task StoppedAsync(CancellationToken cancellationToken) => store.CloseAsync(CancellationToken.None).AsTask();

    private static bool NeedsStore(GatewayConfiguration configuration) =>
        configuration.ResiliencePolicies.Values.Any(policy => policy.Idempotency is not null);

    private void OpenIfNeeded(GatewayConfiguration changed)
    {
        lock (_gate)
        {
            if (_opening is null && NeedsStore(changed))
            {
                _opening = OpenLateAsync();
            }
        }
    }

    private async Task OpenLateAsync()
    {
        try
        {
            await store.OpenAsync(CancellationToken.None);
        }
        catch (TokenStoreUnavailableException e)
        {
            logger.NotOpened(e.Message, e);
        }
    }
}
