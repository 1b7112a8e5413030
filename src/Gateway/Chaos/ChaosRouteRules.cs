using FenceGateway.Gateway.Configuration;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Chaos;

/// <summary>What must hold for chaos rules and between them and routes.</summary>
internal static class ChaosRouteRules
{
    /// <summary>Stands for every route.</summary>
    public const string AnyRoute = "*";

    private const int MaxNameLength = 64;

    public static void Check(ChaosOptions chaos, IReadOnlyList<RouteConfig> routes, List<ConfigProblem> problems)
    {
        foreach (var (name, rule) in chaos.Rules)
        {
            CheckRule(name, rule, problems);
            if (rule.Route is not ("" or AnyRoute)
                && !routes.Any(r => r.RouteId.Equals(rule.Route, StringComparison.OrdinalIgnoreCase)))
            {
                var hint = NearestName.Hint(rule.Route, [.. routes.Select(r => r.RouteId)], "routes");
                problems.Add(new(Path(name, nameof(rule.Route)), $"names no route '{rule.Route}'; {hint}"));
            }
        }
    }

    private static void CheckRule(string name, ChaosRuleOptions rule, List<ConfigProblem> problems)
    {
        if (name.Length > MaxNameLength || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
        {
            problems.Add(
                new(Path(name), $"has a name that cannot stand in a header: up to {MaxNameLength} letters, digits, "
                    + "'-', '_' and '.'"));
        }

        if (rule is { Latency: null, Fault: ChaosFault.None, Outcome: null })
        {
            problems.Add(new(Path(name), "injects nothing: name Latency, Fault or Outcome"));
        }

        if (rule.Header is { } header && !HeaderRules.IsName(header))
        {
            problems.Add(new(Path(name, nameof(rule.Header)), $"is '{header}', which is no name of a header"));
        }
    }

    private static string Path(params ReadOnlySpan<string> keys) =>
        ConfigPath.Of([SectionNames.Gateway, SectionNames.Chaos, nameof(ChaosOptions.Rules), .. keys]);
}
