using MySqlConnector;

namespace FenceGateway.TokenStore.MySql;

/// <summary>
/// Which server the connections of an opening reach. Behind one address (a proxy, a virtual address, a name with
/// several addresses) there may be several, and two that both take writes would admit writes that exclude each other.
/// </summary>
internal sealed class MySqlServerIdentity(string location)
{
    // A server is told apart by its number, and by its files where numbers were never given.
    private const string Question =
        "SELECT CONCAT_WS(' ', @@server_id, @@hostname, @@port, @@datadir), @@GLOBAL.read_only";

    private string? _first;

    /// <exception cref="TokenStoreUnavailableException">It is another server than the first connection's, or takes no
    /// writes.</exception>
    public async Task CheckAsync(MySqlConnection connection)
    {
        await using var command = new MySqlCommand(Question, connection);
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        await reader.ReadAsync(CancellationToken.None);
        var found = reader.GetString(0);
        var first = Interlocked.CompareExchange(ref _first, found, null) ?? found;
        if (found != first)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"Connections to {location} reach different servers ({first}; {found}): connect to the one that takes "
                    + "the writes.");
        }

        if (reader.GetBoolean(1))
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"{location} is read_only, as replicas are: connect to the server that takes the writes.");
        }
    }

    /// <summary>Whether a connection reaches the server that the others do.</summary>
    public async Task<bool> IsSameAsync(MySqlConnection connection)
    {
        await using var command = new MySqlCommand(Question, connection);
        return await command.ExecuteScalarAsync(CancellationToken.None) as string == Volatile.Read(ref _first);
    }
}
