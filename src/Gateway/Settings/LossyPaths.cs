using FenceGateway.Gateway.Configuration;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>Finds transforms that do not give the service the whole path.</summary>
internal static class LossyPaths
{
    public static IEnumerable<ConfigProblem> Of(GatewayConfiguration configuration) =>
        configuration.Routes.SelectMany(Of);

    private static IEnumerable<ConfigProblem> Of(RouteConfig route)
    {
        for (var i = 0; i < route.Transforms?.Count; i++)
        {
            if (route.Transforms[i].TryGetValue("PathPattern", out var pattern) && IsLossy(pattern))
            {
                yield return new(
                    ReverseProxyRules.PathIn(route, nameof(route.Transforms), i.ToString(), "PathPattern"),
                    $"is '{pattern}', which makes the path of decoded values: an escaped slash (%2F) arrives as %252F, "
                    + "and a slash at the end may be lost; PathRemovePrefix and PathPrefix keep both, and so does a "
                    + "pattern whose only parameter is {**rest} at its end");
            }
        }
    }

    private static bool IsLossy(string pattern) =>
        pattern.AsSpan().Count('{') is var parameters and > 0
        && !(parameters == 1 && pattern.Contains("/{**", StringComparison.Ordinal) && pattern.EndsWith('}'));
}
