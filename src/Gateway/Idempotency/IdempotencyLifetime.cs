using FenceGateway.Gateway.Configuration;
using FenceGateway.Idempotency;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>
/// Opens the store before anything listens, if a policy needs it, and closes it after everything has stopped. If a
/// reload brings the first such policy, the store is opened then; until it is, requests with a key are refused.
/// </summary>
internal sealed class IdempotencyLifetime(
    IIdempotencyStore store, InForce<IdempotencyNeed> need,
    ILogger<IdempotencyLifetime> logger) : IHostedLifecycleService
{
    private readonly Lock _gate = new();
    private Task _openingLate = Task.CompletedTask;
    private bool _isOpened;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (need.Current.IsNeeded)
        {
            _isOpened = true;
            await store.OpenAsync(cancellationToken);
        }

        need.Follow(OpenIfNeeded);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        await _openingLate;

        // Not cancelled with the rest: what waits for the disk is written.
        await store.DisposeAsync();
    }

    private void OpenIfNeeded(IdempotencyNeed changed)
    {
        lock (_gate)
        {
            if (!_isOpened && changed.IsNeeded)
            {
                _isOpened = true;
                _openingLate = OpenLateAsync();
            }
        }
    }

    private async Task OpenLateAsync()
    {
        try
        {
            await store.OpenAsync(CancellationToken.None);
        }
        catch (IdempotencyStoreUnavailableException e)
        {
            logger.NotOpened(e.Message, e);
        }
    }
}
