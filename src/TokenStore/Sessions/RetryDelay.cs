namespace FenceGateway.TokenStore;

/// <summary>How long to leave a store alone that did not answer.</summary>
internal static class RetryDelay
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    /// <summary>Grows to a bound and is spread, so that a fleet does not come back all at once.</summary>
    /// <param name="failures">In a row, from 1.</param>
    /// <param name="random">Spreads it.</param>
    public static TimeSpan After(int failures, Random random)
    {
        var bound = Math.Min(Longest.TotalSeconds, First.TotalSeconds * Math.Pow(2, Math.Min(failures, 10)));
        return TimeSpan.FromSeconds(bound * (0.5 + random.NextDouble() / 2));
    }
}
