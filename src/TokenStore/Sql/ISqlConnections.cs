using System.Data.Common;

namespace FenceGateway.TokenStore.Sql;

/// <summary>
/// The connections of one opening of a store: those for steps and those of the session are apart, so that a heartbeat
/// never waits for steps that wait for each other.
/// </summary>
internal interface ISqlConnections : IAsyncDisposable
{
    /// <summary>Where the server is, for people.</summary>
    string Location { get; }

    /// <summary>
    /// Runs one statement (or one batch) on a connection for steps, and says what its failure means for what it may
    /// have done. The call is given a token that has nothing to do with the caller's: it fires when the call is given
    /// up.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">It has failed.</exception>
    ValueTask<T> StepAsync<T>(Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken);

    /// <summary>The same on a connection of the session.</summary>
    /// <exception cref="TokenStoreUnavailableException">It has failed.</exception>
    ValueTask<T> OfSessionAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken);
}
