using System.Threading.RateLimiting;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>A limiter and who uses it just now, so that it is not evicted under anybody's hands.</summary>
internal sealed class RateLimitPartition(string key, RateLimiter limiter)
{
    private const int Retired = -1;

    private int _users;

    public string Key => key;

    public RateLimiter Limiter => limiter;

    /// <summary>What is left.</summary>
    public RateLimitReading Read() => limiter is TimedRateLimiter timed
        ? timed.Read()
        : new((int)limiter.GetStatistics()!.CurrentAvailablePermits, Next: null);

    /// <summary>
    /// Keeps the partition until <see cref="Exit"/>. False if it was evicted: its successor counts from now on.
    /// </summary>
    public bool TryEnter()
    {
        var users = Volatile.Read(ref _users);
        while (users != Retired)
        {
            var seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users)
            {
                return true;
            }

            users = seen;
        }

        return false;
    }

    public void Exit() => Interlocked.Decrement(ref _users);

    /// <summary>
    /// Closes the partition if nobody uses it and all of its permits are there: a new one in its place gives nobody
    /// more than the limit.
    /// </summary>
    public bool TryRetire()
    {
        if (Interlocked.CompareExchange(ref _users, Retired, 0) != 0)
        {
            return false;
        }

        if (limiter.IdleDuration is not null)
        {
            return true;
        }

        Volatile.Write(ref _users, 0);
        return false;
    }
}
