namespace FenceGateway.TokenStore;

/// <summary>Moments on the monotonic clock of a <see cref="TimeProvider"/>, in its own ticks.</summary>
internal static class MonotonicTime
{
    /// <summary>The moment <paramref name="span"/> from now, rounded up.</summary>
    public static long After(this TimeProvider time, TimeSpan span) => time.GetTimestamp() + time.ToTicks(span);

    /// <summary>
    /// From <paramref name="now"/> to <paramref name="then"/>, for a timer. These count whole milliseconds: rounded
    /// down, a wait would spin through its last one.
    /// </summary>
    public static TimeSpan Until(this TimeProvider time, long now, long then) =>
        TimeSpan.FromMilliseconds(Math.Ceiling(time.GetElapsedTime(now, then).TotalMilliseconds));

    /// <summary>A length of time in the provider's ticks, rounded up.</summary>
    public static long ToTicks(this TimeProvider time, TimeSpan span) =>
        (long)Math.Ceiling(span.TotalSeconds * time.TimestampFrequency);

    /// <summary>
    /// A length of time of so many of the provider's ticks, rounded up: what is not over yet is never zero.
    /// </summary>
    public static TimeSpan ToSpan(this TimeProvider time, long ticks) =>
        new((long)Math.Ceiling(ticks * (TimeSpan.TicksPerSecond / (double)time.TimestampFrequency)));
}
