namespace FenceGateway.TokenStore.Quorum;

/// <summary>Which store the nodes have to belong to, and since which resynchronisation answers count.</summary>
internal sealed record QuorumView(QuorumKeys Keys, string Name, long Generation);

/// <summary>
/// When a mark was changed: a number that grows, for listings, and a time for people. Made by the gateway that asks, so
/// that all nodes keep the same, but for one that has a higher number at that resource already and goes on from there.
/// </summary>
internal readonly record struct ChangeStamp(long Sequence, long UnixMilliseconds);

/// <summary>
/// Hands out stamps. The sequence is the wall clock in 2048ths of a millisecond: exact as a score of Redis, and never
/// used for a decision.
/// </summary>
internal sealed class ChangeStamps(TimeProvider clock)
{
    private const int PerMillisecond = 2048;
    private long _last;

    public ChangeStamp Next()
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        while (true)
        {
            var last = Volatile.Read(ref _last);
            // Spread, so that two gateways in the same millisecond seldom take the same.
            var next = Math.Max(last + 1, now * PerMillisecond + Random.Shared.Next(PerMillisecond / 2));
            if (Interlocked.CompareExchange(ref _last, next, last) == last)
            {
                return new ChangeStamp(next, now);
            }
        }
    }
}
