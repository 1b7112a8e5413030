namespace FenceGateway.Fencing;

/// <summary>The one comparison that everything else is built around (rules R1, R4 of docs/protocol.md).</summary>
public static class FenceRule
{
    /// <summary>Stands for "no write": greater than every token.</summary>
    public const long None = long.MaxValue;

    /// <summary>Decides whether a write with <paramref name="token"/> may be forwarded. The mark has to be raised to
    /// <paramref name="token"/> in the same atomic step unless the answer is <see cref="EnterStatus.Stale"/>.</summary>
    /// <param name="mark">The highest token promised so far; 0 when none was.</param>
    /// <param name="token">The token presented, 1 … 2^63−1.</param>
    /// <param name="lowestActive">The lowest token of all writes in flight or in doubt, whoever sent them;
    /// <see cref="None"/> when there is none.</param>
    public static EnterStatus Enter(long mark, long token, long lowestActive) =>
        token < mark ? EnterStatus.Stale
        : lowestActive < token ? EnterStatus.Draining
        : EnterStatus.Admitted;
}
