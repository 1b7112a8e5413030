namespace FenceGateway.TokenStore.Sql;

/// <summary>Tells what other gateways have changed, until it is disposed of.</summary>
internal interface ISqlListener : IAsyncDisposable
{
    /// <summary>Returns when changes from now on are told.</summary>
    /// <param name="epoch">Of the tables whose changes are meant.</param>
    /// <param name="cancellationToken">Gives the attempt up.</param>
    /// <exception cref="TokenStoreUnavailableException">It cannot hear of them.</exception>
    Task StartAsync(string epoch, CancellationToken cancellationToken);
}
