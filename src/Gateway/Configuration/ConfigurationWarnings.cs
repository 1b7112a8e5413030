using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Configuration;

/// <summary>What a good configuration says that its author may not have meant. Refuses nothing.</summary>
internal static class ConfigurationWarnings
{
    /// <summary>Policies whose keys are encrypted with keys of the machine (ASP.NET's data protection).</summary>
    private static readonly string[] EncryptedAffinity = ["Cookie", "CustomHeader"];

    public static IReadOnlyList<ConfigProblem> Of(GatewayConfiguration configuration)
    {
        var isFleet = configuration.Options.TokenStore.Provider.IsShared();
        return
        [
            .. configuration.Routes.SelectMany(LossyPaths),
            .. isFleet ? configuration.Clusters.SelectMany(UnsharedAffinity) : [],
        ];
    }

    private static IEnumerable<ConfigProblem> LossyPaths(RouteConfig route)
    {
        for (var i = 0; i < route.Transforms?.Count; i++)
        {
            if (route.Transforms[i].TryGetValue("PathPattern", out var pattern) && IsLossy(pattern))
            {
                yield return new(
                    ReverseProxyRules.PathIn(route, nameof(route.Transforms), i.ToString(), "PathPattern"),
                    $"is '{pattern}', which makes the path of decoded values: an escaped slash (%2F) arrives as %252F, and a "
                    + "slash at the end may be lost; PathRemovePrefix and PathPrefix keep both, and so does a pattern whose only "
                    + "parameter is {**rest} at its end");
            }
        }
    }

    private static bool IsLossy(string pattern) =>
        pattern.AsSpan().Count('{') is var parameters and > 0
        && !(parameters == 1 && pattern.Contains("/{**", StringComparison.Ordinal) && pattern.EndsWith('}'));

    private static IEnumerable<ConfigProblem> UnsharedAffinity(ClusterConfig cluster)
    {
        if (cluster.SessionAffinity is { Enabled: true, Policy: { } policy }
            && EncryptedAffinity.Contains(policy, StringComparer.OrdinalIgnoreCase))
        {
            yield return new(
                ReverseProxyRules.PathIn(cluster, nameof(cluster.SessionAffinity), "Policy"),
                $"is '{policy}', which encrypts its key with keys of this machine: another gateway of the fleet cannot read it "
                + "and chooses a destination anew; HashCookie and ArrCookie mean the same to every gateway");
        }
    }
}
