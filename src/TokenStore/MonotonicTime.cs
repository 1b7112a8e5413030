namespace FenceGateway.TokenStore;

/// <summary>Moments on the monotonic clock of a <see cref="TimeProvider"/>, in its own ticks.</summary>
internal static class MonotonicTime
{
    /// <summary>The moment <paramref name="span"/> from now, rounded up.</summary>
    public static long After(this TimeProvider time, TimeSpan span) =>
        time.GetTimestamp() + (long)Math.Ceiling(span.TotalSeconds * time.TimestampFrequency);
}
