using Microsoft.AspNetCore.Routing.Patterns;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Configuration;

/// <summary>What the gateway's validators of routes and clusters have in common.</summary>
internal static class ReverseProxyRules
{
    /// <summary>A place in a route.</summary>
    public static string PathIn(RouteConfig route, params ReadOnlySpan<string> keys) =>
        ConfigPath.Of([SectionNames.ReverseProxy, "Routes", route.RouteId, .. keys]);

    /// <summary>A place in a cluster.</summary>
    public static string PathIn(ClusterConfig cluster, params ReadOnlySpan<string> keys) =>
        ConfigPath.Of([SectionNames.ReverseProxy, "Clusters", cluster.ClusterId, .. keys]);

    /// <summary>
    /// The names of the parameters of a route's path; null where there is no telling: YARP itself refuses such a path.
    /// </summary>
    public static string[]? Parameters(RouteConfig route)
    {
        try
        {
            return route.Match.Path is { } path
                ? [.. RoutePatternFactory.Parse(path).Parameters.Select(p => p.Name)]
                : [];
        }
        catch (RoutePatternException)
        {
            return null;
        }
    }

    public static void Add(this IList<Exception> errors, string path, string message) =>
        errors.Add(new ConfigProblemException(new ConfigProblem(path, message)));
}
