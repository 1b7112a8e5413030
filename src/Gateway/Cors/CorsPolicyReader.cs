using System.Collections.Frozen;
using FenceGateway.Gateway.Configuration;
using Microsoft.AspNetCore.Cors.Infrastructure;

namespace FenceGateway.Gateway.Cors;

/// <summary>
/// Turns the options of all policies into ASP.NET's, and reports what the options' own bounds cannot express.
/// </summary>
internal static class CorsPolicyReader
{
    private const string Any = "*";
    private const string AnySubdomain = "*.";

    /// <summary>The policies by name; one that cannot be used is reported and left out.</summary>
    public static FrozenDictionary<string, CorsPolicy> Read(
        IReadOnlyDictionary<string, CorsPolicyOptions> options, List<ConfigProblem> problems)
    {
        var policies = new Dictionary<string, CorsPolicy>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, policy) in options)
        {
            var before = problems.Count;
            Check(name, policy, problems);
            if (problems.Count == before)
            {
                policies[name] = Policy(policy);
            }
        }

        return policies.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }

    private static void Check(string name, CorsPolicyOptions policy, List<ConfigProblem> problems)
    {
        if (RouteCors.IsDisable(name))
        {
            problems.Add(new(
                Path(name),
                $"is a name that means no policy on a route (CorsPolicy: {RouteCors.Disable}); choose another"));
        }

        if (policy.AllowedOrigins.Count == 0)
        {
            problems.Add(new(
                Path(name, nameof(policy.AllowedOrigins)), "is required: without an origin the policy allows nothing"));
        }

        Check(policy.AllowedOrigins, nameof(policy.AllowedOrigins), IsOrigin, "an origin (https://shop.example, no "
            + "path)");
        Check(policy.AllowedMethods, nameof(policy.AllowedMethods), HeaderRules.IsName, "a method");
        Check(policy.AllowedHeaders, nameof(policy.AllowedHeaders), HeaderRules.IsName, "a header name");
        Check(policy.ExposedHeaders, nameof(policy.ExposedHeaders), HeaderRules.IsName, "a header name");
        if (policy.AllowCredentials && policy.AllowedOrigins.Contains(Any))
        {
            problems.Add(new(
                Path(name, nameof(policy.AllowCredentials)),
                "is true, and every origin is allowed, which browsers refuse; name the origins"));
        }

        void Check(List<string> texts, string key, Func<string, bool> isRight, string expected)
        {
            for (var i = 0; i < texts.Count; i++)
            {
                if (texts[i] != Any && texts[i].Length > 0 && !isRight(texts[i]))
                {
                    problems.Add(new(
                        Path(name, key, i.ToString()), $"is '{texts[i]}' where {expected} or {Any} is expected"));
                }
            }
        }
    }

    /// <summary>As a browser says it: scheme, host and, where it is not the scheme's own, port.</summary>
    private static bool IsOrigin(string text)
    {
        var host = text.IndexOf("://", StringComparison.Ordinal) + 3;
        var isAnyBelow = host > 2 && text.AsSpan(host).StartsWith(AnySubdomain);
        var plain = isAnyBelow ? text.Remove(host, AnySubdomain.Length) : text;
        return !plain.Contains('*', StringComparison.Ordinal)
            && Uri.TryCreate(plain, UriKind.Absolute, out var uri)
            && uri is { Host.Length: > 0, UserInfo.Length: 0 }
            && plain.Equals(uri.GetLeftPart(UriPartial.Authority), StringComparison.OrdinalIgnoreCase);
    }

    private static CorsPolicy Policy(CorsPolicyOptions options)
    {
        var policy = new CorsPolicyBuilder()
            .WithOrigins(OrAny(options.AllowedOrigins))
            .WithMethods(OrAny(options.AllowedMethods))
            .WithHeaders(OrAny(options.AllowedHeaders))
            .WithExposedHeaders(OrAny(options.ExposedHeaders));
        if (!options.AllowedOrigins.Contains(Any))
        {
            policy.SetIsOriginAllowedToAllowWildcardSubdomains();
        }

        if (options.AllowCredentials)
        {
            policy.AllowCredentials();
        }

        if (options.MaxAge is { } age)
        {
            policy.SetPreflightMaxAge(age);
        }

        return policy.Build();
    }

    /// <summary>ASP.NET takes the star for every one only where it stands alone.</summary>
    private static string[] OrAny(List<string> texts) => texts.Contains(Any) ? [Any] : [.. texts];

    private static string Path(string name, params ReadOnlySpan<string> keys) =>
        ConfigPath.Of([SectionNames.Gateway, SectionNames.CorsPolicies, name, .. keys]);
}
