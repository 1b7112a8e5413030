using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Lifecycle;

/// <summary>
/// Opens the store before anything listens and closes it after everything has stopped. Between them, on the way out:
/// not ready, keep serving for the delay, close the listeners, let what is in flight end, close the store.
/// </summary>
internal sealed class ShutdownSequence(
    StoreClient store,
    FenceTable table,
    HealthState health,
    ShutdownSignal signal,
    TimeSpan delay,
    TimeProvider time,
    ILogger<ShutdownSequence> logger) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await store.OpenAsync(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        health.Started();
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        signal.Announce();
        logger.Announced(delay);
        try
        {
            await Task.Delay(delay, time, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Asked to hurry: go on with what is left.
        }

        signal.Stop();
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        table.Close();
        var (inFlight, inDoubt) = table.CountActive();
        await WithdrawAsync();
        try
        {
            // Not cancelled with the rest: a store that is closed cleanly saves the next start, and other gateways,
            // their wait.
            await store.CloseAsync(isClean: inFlight == 0 && inDoubt == 0);
        }
        catch (TokenStoreUnavailableException e)
        {
            logger.CloseFailed(e.Message);
            return;
        }

        logger.Stopped(inFlight, inDoubt);
    }

    /// <summary>
    /// Ahead of the session's end, for a session that ends with writes in doubt leaves all its registrations to their
    /// hold.
    /// </summary>
    private async Task WithdrawAsync()
    {
        try
        {
            await table.WithdrawIdleAsync();
        }
        catch (TokenStoreUnavailableException e)
        {
            logger.WithdrawFailed(e.Message);
        }
    }
}
