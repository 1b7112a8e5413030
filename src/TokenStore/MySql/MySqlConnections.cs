using System.Data.Common;
using FenceGateway.TokenStore.Sql;
using MySqlConnector;

namespace FenceGateway.TokenStore.MySql;

/// <summary>Some connections for steps, and a few of their own for the session and the poll.</summary>
internal sealed class MySqlConnections : ISqlConnections
{
    private const int DefaultPlaces = 16;
    private const int SessionPlaces = 4;
    private const uint DriversDefaultPlaces = 100;
    private const uint ConnectSeconds = 5;
    private readonly ILogger _logger;
    private readonly MySqlPlaces _steps;
    private readonly MySqlPlaces _session;

    /// <exception cref="ArgumentException">The connection string is none.</exception>
    /// <exception cref="TokenStoreUnavailableException">It names several hosts.</exception>
    public MySqlConnections(string connectionString, Func<string>? password, TimeProvider time, ILogger logger)
    {
        _logger = logger;
        var builder = new MySqlConnectionStringBuilder(connectionString)
        {
            Pooling = false,

            // The connection is closed at once then.
            CancellationTimeout = -1,
            AutoEnlist = false,
            ForceSynchronous = false,
        };
        if (builder.Server.Contains(',', StringComparison.Ordinal))
        {
            throw TokenStoreUnavailableException.NothingTaken(
                "The connection string of MySQL names several hosts, and the driver would spread the connections over "
                + "them: name the one that takes the writes, or an address that always leads to it.");
        }

        builder.ConnectionTimeout = AtMost(ConnectSeconds, builder.ConnectionTimeout);
        builder.DefaultCommandTimeout = AtMost((uint)SqlCalls.Longest.TotalSeconds, builder.DefaultCommandTimeout);
        Location = $"{builder.Server}:{builder.Port}/{builder.Database}";
        var places = builder.MaximumPoolSize == DriversDefaultPlaces
            ? DefaultPlaces
            : (int)Math.Max(1, builder.MaximumPoolSize);
        var server = new MySqlServerIdentity(Location);
        _steps = new MySqlPlaces(builder.ConnectionString, password, places, server, time);
        _session = new MySqlPlaces(builder.ConnectionString, password, SessionPlaces, server, time);
    }

    public string Location { get; }

    public ValueTask<T> StepAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        MySqlCalls.RunAsync(_steps, _logger, call, cancellationToken);

    public ValueTask<T> OfSessionAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        MySqlCalls.RunAsync(_session, _logger, call, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _steps.DisposeAsync();
        await _session.DisposeAsync();
    }

    /// <summary>To the driver, 0 is no limit at all.</summary>
    private static uint AtMost(uint limit, uint seconds) => seconds == 0 ? limit : Math.Min(limit, seconds);
}
