using System.Collections.Frozen;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Turns the options of all policies into policies, and reports what the options' own bounds cannot express.
/// </summary>
internal static class FencingPolicyReader
{
    /// <summary>The policies by name; one that cannot be used is reported and left out.</summary>
    /// <param name="options">The options by name.</param>
    /// <param name="requests">Headers that are taken already.</param>
    /// <param name="isShared">Whether several gateways share the token store.</param>
    /// <param name="problems">What is wrong is added here.</param>
    public static FrozenDictionary<string, FencingPolicy> Read(
        IReadOnlyDictionary<string, FencingPolicyOptions> options, RequestOptions requests, bool isShared,
        List<ConfigProblem> problems)
    {
        var policies = new Dictionary<string, FencingPolicy>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, policy) in options)
        {
            CheckHeaders(name, policy, requests, problems);
            if (policy.Resource.Length > 0 && Template(name, policy, problems) is { } template)
            {
                policies[name] = Policy(name, policy, template);
            }
        }

        if (isShared)
        {
            CheckHolds(policies.Values, problems);
        }

        return policies.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>
    /// The one that asks decides how long counts what another gateway has left behind, so policies with the same
    /// resources need one hold.
    /// </summary>
    private static void CheckHolds(IEnumerable<FencingPolicy> policies, List<ConfigProblem> problems)
    {
        var first = new Dictionary<string, FencingPolicy>(StringComparer.Ordinal);
        foreach (var policy in policies.Where(p => p.Mode != FencingMode.Off)
            .OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            var other = first.TryAdd(policy.Resource.Text, policy) ? policy : first[policy.Resource.Text];
            if (other.InDoubtHold != policy.InDoubtHold)
            {
                problems.Add(new(
                    Path(policy.Name, nameof(policy.InDoubtHold)),
                    $"is {Durations.Write(policy.InDoubtHold)}, and that of '{other.Name}', which has the same "
                    + $"Resource, is {Durations.Write(other.InDoubtHold)}; the shorter one would let newer tokens pass "
                    + "too early: give both the longer one"));
            }
        }
    }

    private static ResourceTemplate? Template(string name, FencingPolicyOptions options, List<ConfigProblem> problems)
    {
        if (!ResourceTemplate.TryParse(options.Resource, options.CaseInsensitive, out var template, out var error))
        {
            problems.Add(new(Path(name, nameof(options.Resource)), $"the template '{options.Resource}' {error}"));
            return null;
        }

        string[] own = [options.Header, .. options.HeaderAliases];
        foreach (var part in template.Parts.Where(p => p.Kind == ResourceValueKind.Header))
        {
            if (own.Contains(part.Text, StringComparer.OrdinalIgnoreCase))
            {
                problems.Add(new(
                    Path(name, nameof(options.Resource)),
                    $"the template takes {part}, the token's own header: every token would be a resource of its own"));
            }
        }

        return template;
    }

    private static void CheckHeaders(
        string name, FencingPolicyOptions options, RequestOptions requests, List<ConfigProblem> problems)
    {
        var seen = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [HeaderRules.Folded(requests.CorrelationHeader)] = "FenceGateway.Requests.CorrelationHeader",
            [HeaderRules.Folded(requests.TenantHeader)] = "FenceGateway.Requests.TenantHeader",
        };
        Check(options.Header, Path(name, nameof(options.Header)), "Header");
        for (var i = 0; i < options.HeaderAliases.Count; i++)
        {
            var index = i.ToString();
            Check(
                options.HeaderAliases[i], Path(name, nameof(options.HeaderAliases), index), $"HeaderAliases[{index}]");
        }

        void Check(string header, string path, string what)
        {
            if (header.Length > 0 && HeaderRules.Check(header) is { } error)
            {
                problems.Add(new(path, error));
            }
            else if (header.Length > 0 && !seen.TryAdd(HeaderRules.Folded(header), what))
            {
                problems.Add(
                    new(path, $"is '{header}', which a service may take for {seen[HeaderRules.Folded(header)]}"));
            }
        }
    }

    private static FencingPolicy Policy(string name, FencingPolicyOptions options, ResourceTemplate template) => new()
    {
        Name = name,
        Resource = template,
        CaseInsensitive = options.CaseInsensitive,
        Header = options.Header,
        HeaderAliases = [.. options.HeaderAliases],
        TokenHeaders = [options.Header, .. options.HeaderAliases],
        Mode = options.Mode,
        MissingToken = options.MissingToken,
        Barrier = options.Barrier,
        DrainTimeout = options.DrainTimeout,
        InDoubtHold = options.InDoubtHold,
        InDoubtStatuses = new StatusSet(options.InDoubtStatuses),
        WriteTimeout = options.WriteTimeout,
        Reads = options.Reads,
        AdvanceOn = options.AdvanceOn,
        StoreUnavailable = options.StoreUnavailable,
        ExposeMark = options.ExposeMark,
    };

    private static string Path(string name, params ReadOnlySpan<string> keys) =>
        ConfigPath.Of([SectionNames.Gateway, SectionNames.FencingPolicies, name, .. keys]);
}
