using System.Diagnostics.CodeAnalysis;

namespace FenceGateway.TokenStore;

/// <summary>One after the other: a store may be asked by several at once to open, or to close meanwhile.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Has nothing to give back; whoever waits for a turn has to find "
    + "the store closed.")]
internal sealed class Turns
{
    private readonly SemaphoreSlim _free = new(1, 1);

    /// <summary>Waits for the turn; what is returned gives it on.</summary>
    /// <exception cref="TokenStoreUnavailableException">It did not come in time.</exception>
    public async ValueTask<Turn> TakeAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await _free.WaitAsync(cancellationToken);
            return new Turn(_free);
        }
        catch (OperationCanceledException e)
        {
            throw TokenStoreUnavailableException.NothingTaken("The token store is still being opened.", e);
        }
    }

    public readonly struct Turn(SemaphoreSlim free) : IDisposable
    {
        public void Dispose() => free.Release();
    }
}
