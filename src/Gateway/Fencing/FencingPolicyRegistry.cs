using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;

namespace FenceGateway.Gateway.Fencing;

/// <summary>Policies by name. The reference of a name stays the same over reloads, what it stands for is swapped.</summary>
internal sealed class FencingPolicyRegistry
{
    private readonly ConcurrentDictionary<string, FencingPolicyReference> _references = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The policies in force.</summary>
    public IReadOnlyList<FencingPolicy> Current { get; private set; } = [];

    /// <summary>The longest time for which a policy in force holds newer tokens back behind a write in doubt.</summary>
    public TimeSpan LongestHold => Current.Select(p => p.InDoubtHold).DefaultIfEmpty().Max();

    public FencingPolicyReference? Find(string name) => _references.GetValueOrDefault(name);

    /// <summary>Takes over the policies of a validated configuration. One that is gone keeps serving endpoints that still have it.</summary>
    public void Update(IReadOnlyList<FencingPolicy> policies)
    {
        foreach (var policy in policies)
        {
            _references.GetOrAdd(policy.Name, static (_, p) => new FencingPolicyReference(p), policy).Current = policy;
        }

        Current = policies;
    }

    /// <summary>Attaches its policy to the endpoint of a route that names one.</summary>
    public void Attach(IEndpointConventionBuilder endpoint, IReadOnlyDictionary<string, string>? routeMetadata)
    {
        if (routeMetadata?.TryGetValue(FencingMetadata.PolicyKey, out var name) == true && Find(name) is { } policy)
        {
            endpoint.WithMetadata(policy);
        }
    }
}
