using FenceGateway.Fencing;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// A reload gives a fenced route's resources other keys: what is known of the old keys does not count for the new ones.
/// </summary>
/// <param name="Path">Where the configuration says so.</param>
/// <param name="Before">The policy whose template made the keys until now.</param>
/// <param name="After">The policy whose template makes them from now on.</param>
internal sealed record TemplateChange(string Path, FencingPolicy Before, FencingPolicy After)
{
    public string From => Describe(Before);

    public string To => Describe(After);

    /// <summary>All changes of policies, and of routes that take another policy.</summary>
    public static IReadOnlyList<TemplateChange> Between(FencedRoutes before, FencedRoutes after)
    {
        var changes = new List<TemplateChange>();
        foreach (var (name, policy) in before.Policies.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            if (after.Policies.TryGetValue(name, out var next) && !SameKeys(policy, next))
            {
                var key = policy.Resource.Text == next.Resource.Text
                    ? nameof(FencingPolicyOptions.CaseInsensitive)
                    : nameof(policy.Resource);
                changes.Add(new(
                    ConfigPath.Of(SectionNames.Gateway, SectionNames.FencingPolicies, policy.Name, key), policy, next));
            }
        }

        foreach (var route in before.Routes)
        {
            var next = after.Routes.FirstOrDefault(
                r => r.RouteId.Equals(route.RouteId, StringComparison.OrdinalIgnoreCase));
            if (next is not null && before.PolicyOf(route) is { } had
                && after.PolicyOf(next) is { } has
                && !had.Name.Equals(has.Name, StringComparison.OrdinalIgnoreCase) && !SameKeys(had, has))
            {
                changes.Add(
                    new(ReverseProxyRules.PathIn(next, nameof(next.Metadata), FencedRouteRules.MetadataKey), had, has));
            }
        }

        return changes;
    }

    /// <summary>
    /// Whether the template until now may have made <paramref name="key"/>: its own text stands there, in order. Rather
    /// yes than no.
    /// </summary>
    public bool MayHaveMade(ResourceKey key)
    {
        var at = 0;
        foreach (var part in Before.Resource.Parts.Where(part => part.Kind == ResourceValueKind.Literal))
        {
            at = key.Value.IndexOf(part.Text, at, StringComparison.OrdinalIgnoreCase);
            if (at < 0)
            {
                return false;
            }

            at += part.Text.Length;
        }

        return true;
    }

    private static bool SameKeys(FencingPolicy one, FencingPolicy other) =>
        one.Resource.Text.Equals(other.Resource.Text, StringComparison.Ordinal)
            && one.CaseInsensitive == other.CaseInsensitive;

    private static string Describe(FencingPolicy policy) =>
        $"'{policy.Resource.Text}'{(policy.CaseInsensitive ? " (CaseInsensitive)" : "")}";
}
