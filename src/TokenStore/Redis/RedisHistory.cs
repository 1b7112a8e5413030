namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// What this gateway has seen of the server, to tell when it forgets (its data was lost) or when its clock, by which
/// sessions end, was set.
/// </summary>
internal sealed class RedisHistory(TimeProvider clock, ILogger logger)
{
    /// <summary>Clocks that run at slightly different rates differ by less between two heartbeats,</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(500);

    /// <summary>and by less than this part of a longer silence.</summary>
    private const int RatePart = 1000;

    private readonly Lock _lock = new();
    private string? _epoch;
    private long _changes;
    private (long Sent, long Heard, DateTimeOffset ServerTime)? _last;

    /// <summary>Monotonic.</summary>
    public long Now => clock.GetTimestamp();

    /// <summary>The store was opened, perhaps because a clock that was set had ended the session.</summary>
    public void Opened(string location, string epoch, long sent, DateTimeOffset serverTime, long changes)
    {
        lock (_lock)
        {
            if (_epoch is not null && _epoch != epoch)
            {
                RedisLog.DataLost(logger, location, _epoch, epoch);
                (_changes, _last) = (0, null);
            }

            _epoch = epoch;
        }

        Heard(location, sent, serverTime, changes);
    }

    /// <summary>A heartbeat was answered, whether or not the session still lives.</summary>
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
                var tolerance = Tolerance + clock.GetElapsedTime(last.Sent, heard) / RatePart;
                var least = clock.GetElapsedTime(last.Heard, sent) - tolerance;
                var most = clock.GetElapsedTime(last.Sent, heard) + tolerance;
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
