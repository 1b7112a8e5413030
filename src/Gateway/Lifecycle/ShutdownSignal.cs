namespace FenceGateway.Gateway.Lifecycle;

/// <summary>How far the process has shut down. Each stage is entered once and never left.</summary>
internal sealed class ShutdownSignal : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private volatile bool _announced;

    /// <summary>The process has been asked to stop: not ready any more, but still serving.</summary>
    public bool IsAnnounced => _announced;

    /// <summary>Cancelled when the listeners close: whoever waits for admission gives up.</summary>
    public CancellationToken Stopping => _stopping.Token;

    public void Announce() => _announced = true;

    public void Stop()
    {
        _announced = true;
        _stopping.Cancel();
    }

    public void Dispose() => _stopping.Dispose();
}
