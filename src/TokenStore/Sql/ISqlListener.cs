namespace FenceGateway.TokenStore.Sql;

/// <summary>Tells what other gateways have changed, until it is disposed of.</summary>
internal interface ISqlListener : IAsyncDisposable
{
    /// <summary>Returns when changes from now on are told.</summary>
    /// <exception cref="TokenStoreUnavailableException">It cannot hear of them.</exception>
    Task StartAsync(CancellationToken cancellationToken);
}
