using System.Collections.Frozen;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// Turns the options of all policies into policies, and reports what the options' own bounds cannot express.
/// </summary>
internal static class RateLimitPolicyReader
{
    private static readonly string[] Plain =
        [nameof(RateLimitKeyKind.ClientAddress), nameof(RateLimitKeyKind.Tenant), nameof(RateLimitKeyKind.Resource)];

    private static readonly string[] Named =
        [nameof(RateLimitKeyKind.Header), nameof(RateLimitKeyKind.Route), nameof(RateLimitKeyKind.Query)];

    private static readonly string[] Known = [.. Plain, .. Named.Select(n => n + ":name")];

    /// <summary>The policies by name; one that cannot be used is reported and left out.</summary>
    public static FrozenDictionary<string, RateLimitPolicy> Read(
        IReadOnlyDictionary<string, RateLimiterPolicyOptions> options, List<ConfigProblem> problems)
    {
        var policies = new Dictionary<string, RateLimitPolicy>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, policy) in options)
        {
            var before = problems.Count;
            CheckName(name, problems);
            var key = ReadKey(name, policy.PartitionBy, problems);
            if (problems.Count == before)
            {
                policies[name] = Policy(name, policy, key);
            }
        }

        return policies.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>The name stands in the RateLimit fields as a string (RFC 8941, section 3.3.3).</summary>
    private static void CheckName(string name, List<ConfigProblem> problems)
    {
        if (RouteRateLimit.IsDisable(name))
        {
            problems.Add(
                new(Path(name), "is a name that means no limit on a route (RateLimiterPolicy: "
                    + $"{RouteRateLimit.Disable}); choose another"));
        }
        else if (name.Any(c => c is < ' ' or > '~'))
        {
            problems.Add(new(Path(name), "is a name that cannot stand in a RateLimit field; use printable ASCII"));
        }
    }

    private static RateLimitKey ReadKey(string name, List<string> texts, List<ConfigProblem> problems)
    {
        var parts = new List<RateLimitKeyPart>();
        for (var i = 0; i < texts.Count; i++)
        {
            var path = Path(name, nameof(RateLimiterPolicyOptions.PartitionBy), i.ToString());
            if (texts[i].Length == 0)
            {
                continue; // Reported by the reader of options.
            }

            if (ReadPart(texts[i], out var error) is not { } part)
            {
                problems.Add(new(path, error!));
            }
            else if (parts.Exists(
                    p => p.Kind == part.Kind && p.Name.Equals(part.Name, StringComparison.OrdinalIgnoreCase)))
            {
                problems.Add(new(path, $"is '{texts[i]}', which stands there already"));
            }
            else
            {
                parts.Add(part);
            }
        }

        if (parts.Count > RateLimitKey.MaxParts)
        {
            problems.Add(new(Path(name, nameof(RateLimiterPolicyOptions.PartitionBy)), $"has {parts.Count} entries; at "
                + $"most {RateLimitKey.MaxParts} combine"));
        }

        return new RateLimitKey([.. parts]);
    }

    private static RateLimitKeyPart? ReadPart(string text, out string? error)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var kind = colon < 0 ? text : text[..colon];
        var value = colon < 0 ? "" : text[(colon + 1)..];
        error = null;
        if (Array.Find(
                colon < 0 ? Plain : Named, k => k.Equals(kind, StringComparison.OrdinalIgnoreCase)) is not { } known)
        {
            error = Array.Exists(Plain, k => k.Equals(kind, StringComparison.OrdinalIgnoreCase))
                ? $"is '{text}'; {kind} takes no name"
                : Array.Find(Named, k => k.Equals(kind, StringComparison.OrdinalIgnoreCase)) is { } named
                    ? $"is '{text}', which lacks a name: {named}:name"
                : $"is '{text}', which is nothing to partition by; {NearestName.Hint(kind, Known, "known are")}";
            return null;
        }

        if (colon >= 0
            && (value.Length == 0 || (known == nameof(RateLimitKeyKind.Header) && !HeaderRules.IsName(value))))
        {
            error = $"is '{text}', which has no usable name after the colon";
            return null;
        }

        return new RateLimitKeyPart(Enum.Parse<RateLimitKeyKind>(known), value);
    }

    private static RateLimitPolicy Policy(string name, RateLimiterPolicyOptions options, RateLimitKey key) => new()
    {
        Name = name,
        Type = options.Type,
        PermitLimit = options.PermitLimit,
        Window = options.Window,
        SegmentsPerWindow = options.SegmentsPerWindow,
        QueueLimit = options.QueueLimit,
        MaxPartitions = options.MaxPartitions,
        PartitionBy = key,
    };

    private static string Path(string name, params ReadOnlySpan<string> keys) =>
        ConfigPath.Of([SectionNames.Gateway, SectionNames.RateLimiterPolicies, name, .. keys]);
}
