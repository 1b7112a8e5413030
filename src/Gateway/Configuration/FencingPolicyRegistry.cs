using System.Diagnostics.CodeAnalysis;
using FenceGateway.Gateway.Fencing;

namespace FenceGateway.Gateway.Configuration;

/// <summary>
/// The fencing policies that endpoints refer to. One reference per name for the life of the process: an endpoint that
/// outlives a reload sees the policy's new content, a request in flight keeps what it began with.
/// </summary>
internal sealed class FencingPolicyRegistry
{
    private readonly Lock _writing = new();
    private volatile Dictionary<string, Reloadable<FencingPolicy>> _references = new(StringComparer.OrdinalIgnoreCase);

    public FencingPolicyRegistry(IReadOnlyDictionary<string, FencingPolicy> policies) => Apply(policies);

    /// <summary>The longest of all policies, those that are gone included.</summary>
    public TimeSpan LongestInDoubtHold => _references.Values.Select(p => p.Current.Rules.InDoubtHold).Append(TimeSpan.Zero).Max();

    public bool TryGet(string name, [NotNullWhen(true)] out Reloadable<FencingPolicy>? reference) =>
        _references.TryGetValue(name, out reference);

    /// <summary>
    /// Swaps the content of the references. A policy that is gone keeps its last content: routes that used it still serve
    /// until YARP has rebuilt them, and must not do so unfenced. Names only accumulate as an operator invents them.
    /// </summary>
    public void Apply(IReadOnlyDictionary<string, FencingPolicy> policies)
    {
        lock (_writing)
        {
            var references = new Dictionary<string, Reloadable<FencingPolicy>>(_references, StringComparer.OrdinalIgnoreCase);
            foreach (var (name, policy) in policies)
            {
                if (references.TryGetValue(name, out var reference))
                {
                    reference.Current = policy;
                }
                else
                {
                    references[name] = new(policy);
                }
            }

            _references = references;
        }
    }
}
