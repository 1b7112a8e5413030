namespace FenceGateway.Gateway.RateLimiting;

/// <summary>The monotonic clock in whole microseconds, so that limits can be counted in integers.</summary>
internal static class LimitClock
{
    public static long Now(TimeProvider time)
    {
        var (timestamp, frequency) = (time.GetTimestamp(), time.TimestampFrequency);
        return frequency % 1_000_000 == 0
            ? timestamp / (frequency / 1_000_000)
            : (long)((Int128)timestamp * 1_000_000 / frequency);
    }

    /// <summary>Rounded up: a limit never counts over less than its window.</summary>
    public static long Microseconds(TimeSpan span) =>
        (span.Ticks + TimeSpan.TicksPerMicrosecond - 1) / TimeSpan.TicksPerMicrosecond;
}
