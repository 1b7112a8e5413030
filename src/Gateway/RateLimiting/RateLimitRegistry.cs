namespace FenceGateway.Gateway.RateLimiting;

/// <summary>A policy and the limiters that count for it.</summary>
/// <param name="Policy">What is allowed.</param>
/// <param name="Partitions">What is left of it, for each partition.</param>
/// <param name="Fields">How it is told to clients.</param>
internal sealed record RateLimit(RateLimitPolicy Policy, RateLimitPartitions Partitions, RateLimitFields Fields);

/// <summary>
/// The rate limits by name, for the life of the process. Routes that name the same policy share its limit, and a reload
/// that leaves a policy as it is leaves its counts as well.
/// </summary>
internal sealed class RateLimitRegistry(TimeProvider time)
{
    private readonly Lock _writing = new();
    private volatile Dictionary<string, RateLimit> _limits = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>All limits, those of policies that are gone included.</summary>
    public IEnumerable<RateLimit> All => _limits.Values;

    /// <summary>
    /// The limits of a generation, by name. A changed policy begins to count anew; one that is gone keeps its counts
    /// for its return. Names only accumulate as an operator invents them.
    /// </summary>
    public IReadOnlyDictionary<string, RateLimit> Apply(IReadOnlyDictionary<string, RateLimitPolicy> policies)
    {
        lock (_writing)
        {
            var limits = new Dictionary<string, RateLimit>(_limits, StringComparer.OrdinalIgnoreCase);
            foreach (var (name, policy) in policies)
            {
                if (!limits.TryGetValue(name, out var limit) || limit.Policy != policy)
                {
                    limits[name] = new(policy, new RateLimitPartitions(policy, time), new RateLimitFields(policy));
                }
            }

            return _limits = limits;
        }
    }
}
