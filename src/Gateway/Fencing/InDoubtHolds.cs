using System.Collections.Immutable;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// How long each policy holds what is in doubt, those included that a reload took away: they have sent writes too.
/// </summary>
internal sealed class InDoubtHolds
{
    private volatile ImmutableDictionary<string, TimeSpan> _holds = ImmutableDictionary.Create<string, TimeSpan>(
        StringComparer.OrdinalIgnoreCase);

    public TimeSpan Longest => _holds.Values.Append(TimeSpan.Zero).Max();

    /// <summary>Takes the holds of a generation. Names only accumulate as an operator invents them.</summary>
    public void Apply(IEnumerable<FencingPolicy> policies) =>
        _holds = _holds.SetItems(policies.Select(policy => KeyValuePair.Create(policy.Name, policy.InDoubtHold)));
}
