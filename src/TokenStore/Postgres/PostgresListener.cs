using System.Globalization;
using FenceGateway.TokenStore.Sql;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>
/// Listens for changes on a connection of its own, and connects again when that is lost. What is told meanwhile is missed: the
/// heartbeat tells revocations again, and whoever waits asks again.
/// </summary>
internal sealed class PostgresListener(
    PostgresConnections connections, string prefix, Action<ResourceChange> told, TimeProvider time, ILogger logger) : ISqlListener
{
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestFarewell = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _stop = new();
    private Task _listening = Task.CompletedTask;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _listening = Task.Run(() => ListenAsync(first), CancellationToken.None);
        await first.Task.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();

        // A server that does not answer does not hold the gateway's end up.
        await _listening.WaitAsync(LongestFarewell, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    /// <summary>Reads "mark hexadecimal-key", with a + before it when nothing but the mark has changed; null when somebody else uses
    /// the channel.</summary>
    internal static ResourceChange? Parse(string payload)
    {
        var space = payload.IndexOf(' ', StringComparison.Ordinal);
        var risen = payload.StartsWith('+');
        var start = risen ? 1 : 0;
        if (space <= start || !long.TryParse(payload.AsSpan(start, space - start), NumberStyles.None, CultureInfo.InvariantCulture, out var mark))
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

    private async Task ListenAsync(TaskCompletionSource first)
    {
        var stop = _stop.Token;
        for (var failures = 0; !stop.IsCancellationRequested;)
        {
            try
            {
                await using var connection = await connections.OpenAsync(stop);
                connection.Notification += Notified;
                await using (var listen = new NpgsqlCommand($"""LISTEN "{prefix}_changed" """, connection))
                {
                    await listen.ExecuteNonQueryAsync(CancellationToken.None);
                }

                if (failures > 0)
                {
                    SqlStoreLog.ListenerBack(logger, connections.Location);
                    failures = 0;
                }

                first.TrySetResult();
                while (true)
                {
                    await connection.WaitAsync(stop);
                }
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                first.TrySetCanceled(stop);
            }
            catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException or TimeoutException)
            {
                if (!first.Task.IsCompleted)
                {
                    first.SetException(new TokenStoreUnavailableException($"PostgreSQL: {e.Message}", e) { NotTaken = true });
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
        if (Parse(e.Payload) is { } change)
        {
            told(change);
        }
    }
}
