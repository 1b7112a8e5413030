using FenceGateway.TokenStore.Sql;
using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>
/// Listens for changes on a connection of its own, and connects again when that is lost. What is told meanwhile is
/// missed: the heartbeat tells revocations again, and whoever waits asks again.
/// </summary>
internal sealed class PostgresListener(
    PostgresConnections connections, string prefix, Action<ResourceChange> told, TimeProvider time,
    ILogger logger) : ISqlListener
{
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestFarewell = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestHello = TimeSpan.FromSeconds(2);

    // A connection on which nothing came for so long is tried.
    private static readonly TimeSpan LongestQuiet = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stop = new();
    private readonly string _hello = $"hello {Guid.NewGuid():N}";
    private readonly TaskCompletionSource _heardHello = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _listening = Task.CompletedTask;

    /// <summary>The channel of the tables that have an epoch; the schema's function notifies there.</summary>
    public static string Channel(string prefix, string epoch)
    {
        var digits = epoch.Replace("-", "", StringComparison.Ordinal);
        return $"{prefix}_{digits[..Math.Min(digits.Length, 24)]}";
    }

    public async Task StartAsync(string epoch, CancellationToken cancellationToken)
    {
        var channel = Channel(prefix, epoch);
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _listening = Task.Run(() => ListenAsync(channel, first), CancellationToken.None);
        await first.Task.WaitAsync(cancellationToken);
        await SayHelloAsync(channel, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();

        // A server that does not answer does not hold the gateway's end up.
        await _listening.WaitAsync(LongestFarewell, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    /// <summary>
    /// Reads "mark hexadecimal-key", with a + before it when nothing but the mark has changed; null when somebody else
    /// uses the channel.
    /// </summary>
    internal static ResourceChange? Parse(string payload)
    {
        var space = payload.IndexOf(' ', StringComparison.Ordinal);
        var risen = payload.StartsWith('+');
        var start = risen ? 1 : 0;
        if (space <= start
            || !long.TryParse(
                payload.AsSpan(start, space - start), NumberStyles.None, CultureInfo.InvariantCulture, out var mark))
        {
            return null;
        }

        try
        {
            return SqlKey.TryDecode(Convert.FromHexString(payload.AsSpan(space + 1)), out var resource)
                ? new ResourceChange(resource, mark, risen)
                : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>Whether what is notified on one connection arrives on the other one.</summary>
    private async Task SayHelloAsync(string channel, CancellationToken cancellationToken)
    {
        await connections.OfSessionAsync(
            async (connection, givenUp) =>
            {
                await using var notify = new NpgsqlCommand("SELECT pg_notify($1, $2)", (NpgsqlConnection)connection);
                notify.Parameters.Add(new() { Value = channel });
                notify.Parameters.Add(new() { Value = _hello });
                return await notify.ExecuteNonQueryAsync(givenUp);
            },
            cancellationToken);
        try
        {
            await _heardHello.Task.WaitAsync(LongestHello, time, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"What is notified in {connections.Location} does not arrive, and settings of a connection may not "
                + "stay either, as behind a pooler in transaction mode: connect to the server itself, or to a pooler "
                + "in session mode.", e);
        }
    }

    private async Task ListenAsync(string channel, TaskCompletionSource first)
    {
        var stop = _stop.Token;
        for (var failures = 0; !stop.IsCancellationRequested;)
        {
            try
            {
                await using var connection = await connections.OpenAsync(stop);
                connection.Notification += Notified;
                await connections.ExecuteAsync(connection, $"LISTEN \"{channel}\"");
                if (failures > 0)
                {
                    SqlStoreLog.ListenerBack(logger, connections.Location);
                    failures = 0;
                }

                first.TrySetResult();
                while (true)
                {
                    if (!await connection.WaitAsync(LongestQuiet, stop))
                    {
                        await connections.ExecuteAsync(connection, "SELECT 1");
                    }
                }
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                first.TrySetCanceled(stop);
            }
            catch (Exception e)
            {
                // Whatever it is: the driver does not wrap everything that a network can do.
                if (!first.Task.IsCompleted)
                {
                    first.SetException(TokenStoreUnavailableException.NothingTaken($"PostgreSQL: {e.Message}", e));
                    return;
                }

                if (failures++ == 0)
                {
                    SqlStoreLog.ListenerLost(logger, connections.Location, e.Message);
                }

                var delay = LongestRetry * Math.Min(1, failures / 10.0) * (0.5 + Random.Shared.NextDouble() / 2);
                await Task.Delay(delay, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Notified(object sender, NpgsqlNotificationEventArgs e)
    {
        if (e.Payload == _hello)
        {
            _heardHello.TrySetResult();
        }
        else if (Parse(e.Payload) is { } change)
        {
            told(change);
        }
    }
}
