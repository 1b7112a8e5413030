using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// What this gateway has seen of the server, to tell when it forgets (its data was lost) or when its clock, by which sessions end,
/// was set.
/// </summary>
internal sealed class RedisHistory(TimeProvider clock, ILogger logger)
{
    /// <summary>Clocks that run at slightly different rates differ by less between two heartbeats.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private string? _epoch;
    private long _changes;
    private (long Sent, long Heard, DateTimeOffset ServerTime)? _last;

    /// <summary>Monotonic.</summary>
    public long Now => clock.GetTimestamp();

    public void Opened(string location, string epoch, long changes)
    {
        lock (_lock)
        {
            if (_epoch is not null && _epoch != epoch)
            {
                RedisLog.DataLost(logger, location, _epoch, epoch);
                _changes = 0;
            }

            _epoch = epoch;
            _last = null;
            CountLocked(location, changes);
        }
    }

    /// <summary>A heartbeat was answered.</summary>
    /// <param name="location">By whom.</param>
    /// <param name="sent">When it was sent, <see cref="Now"/>.</param>
    /// <param name="serverTime">The server's clock.</param>
    /// <param name="changes">How often marks were changed.</param>
    public void Heard(string location, long sent, DateTimeOffset serverTime, long changes)
    {
        var heard = Now;
        lock (_lock)
        {
            CountLocked(location, changes);
            if (_last is { } last)
            {
                var passed = serverTime - last.ServerTime;
                var least = clock.GetElapsedTime(last.Heard, sent) - Tolerance;
                var most = clock.GetElapsedTime(last.Sent, heard) + Tolerance;
                if (passed < least || passed > most)
                {
                    RedisLog.ClockSet(logger, location, (passed - (passed < least ? least : most)).TotalSeconds);
                }
            }

            _last = (sent, heard, serverTime);
        }
    }

    private void CountLocked(string location, long changes)
    {
        if (changes < _changes)
        {
            RedisLog.DataOlder(logger, location, _changes, changes);
        }

        _changes = changes;
    }
}
