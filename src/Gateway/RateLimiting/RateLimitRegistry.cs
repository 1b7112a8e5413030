using System.Diagnostics.CodeAnalysis;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>A policy and the limiters that count for it.</summary>
/// <param name="Policy">What is allowed.</param>
/// <param name="Partitions">What is left of it, for each partition.</param>
/// <param name="Fields">How it is told to clients.</param>
internal sealed record RateLimit(RateLimitPolicy Policy, RateLimitPartitions Partitions, RateLimitFields Fields);

/// <summary>
/// The rate limits that endpoints refer to, by name, for the life of the process. Routes that name the same policy share its
/// limit, and a reload that leaves a policy as it is leaves its counts as well.
/// </summary>
internal sealed class RateLimitRegistry(TimeProvider time)
{
    private readonly Lock _writing = new();
    private volatile Dictionary<string, Reloadable<RateLimit>> _references = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>All limits, those of policies that are gone included.</summary>
    public IEnumerable<RateLimit> All => _references.Values.Select(r => r.Current);

    public bool TryGet(string name, [NotNullWhen(true)] out Reloadable<RateLimit>? reference) =>
        _references.TryGetValue(name, out reference);

    /// <summary>
    /// Puts policies in force. A changed one begins to count anew; one that is gone keeps its limit, because routes that use it
    /// still serve until YARP has rebuilt them. Names only accumulate as an operator invents them.
    /// </summary>
    public void Apply(IReadOnlyDictionary<string, RateLimitPolicy> policies)
    {
        lock (_writing)
        {
            var references = new Dictionary<string, Reloadable<RateLimit>>(_references, StringComparer.OrdinalIgnoreCase);
            foreach (var (name, policy) in policies)
            {
                if (!references.TryGetValue(name, out var reference))
                {
                    references[name] = new(New(policy));
                }
                else if (reference.Current.Policy != policy)
                {
                    reference.Current = New(policy);
                }
            }

            _references = references;
        }
    }

    private RateLimit New(RateLimitPolicy policy) =>
        new(policy, new RateLimitPartitions(policy, time), new RateLimitFields(policy));
}
