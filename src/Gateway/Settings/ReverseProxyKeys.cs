using FenceGateway.Gateway.Configuration;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// Finds keys under <c>ReverseProxy</c> that YARP would silently ignore, from the names of its own configuration
/// records, and those that this gateway does not support.
/// </summary>
internal static class ReverseProxyKeys
{
    /// <summary>
    /// The gateway has none of the middleware behind these; YARP would fail the requests of such a route.
    /// </summary>
    private static readonly string[] Unsupported = ["AuthorizationPolicy", "OutputCachePolicy", "TimeoutPolicy"];

    /// <summary>
    /// The route without what is unsupported, which is reported here, and without the policy of which YARP knows
    /// nothing.
    /// </summary>
    public static RouteConfig WithoutUnsupported(RouteConfig route) => route with
    {
        AuthorizationPolicy = null,
        CorsPolicy = null,
        OutputCachePolicy = null,
        TimeoutPolicy = null,
    };

    public static void Check(IConfigurationSection section, List<ConfigProblem> problems)
    {
        string[] kinds = ["Routes", "Clusters"];
        foreach (var kind in section.GetChildren())
        {
            if (!kinds.Contains(kind.Key, StringComparer.OrdinalIgnoreCase))
            {
                problems.Add(
                    new(ConfigPath.Of(kind.Path), "is an unknown key; "
                        + $"{NearestName.Hint(kind.Key, kinds, "known keys")}"));
                continue;
            }

            var isRoutes = kind.Key.Equals("Routes", StringComparison.OrdinalIgnoreCase);
            foreach (var entry in kind.GetChildren())
            {
                Check(entry, isRoutes ? typeof(RouteConfig) : typeof(ClusterConfig), problems);
                MetadataKeys.Check(entry, isRoutes, problems);
            }
        }
    }

    private static void Check(IConfigurationSection section, Type type, List<ConfigProblem> problems)
    {
        // An entry's id is its key; written inside, YARP ignores it.
        var properties = type.GetProperties()
            .Where(p => (type, p.Name) is not ((_, nameof(RouteConfig.RouteId)) or (_, nameof(ClusterConfig.ClusterId)))
                || (type == typeof(RouteConfig) && p.Name == nameof(RouteConfig.ClusterId)))
            .ToDictionary(p => p.Name, p => p.PropertyType, StringComparer.OrdinalIgnoreCase);
        foreach (var child in section.GetChildren())
        {
            var path = ConfigPath.Of(child.Path);
            if (type == typeof(RouteConfig) && Unsupported.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
            {
                problems.Add(new(path, "is not supported yet; remove it"));
            }
            else if (!properties.TryGetValue(child.Key, out var property))
            {
                problems.Add(
                    new(path, $"is an unknown key; {NearestName.Hint(child.Key, properties.Keys, "known keys")}"));
            }
            else
            {
                Descend(child, property, problems);
            }
        }
    }

    private static void Descend(IConfigurationSection section, Type type, List<ConfigProblem> problems)
    {
        if (IsRecord(type))
        {
            Check(section, type, problems);
        }
        else if (type.IsGenericType && Array.Find(type.GetGenericArguments(), IsRecord) is { } element)
        {
            foreach (var child in section.GetChildren())
            {
                Check(child, element, problems);
            }
        }
    }

    private static bool IsRecord(Type type) => type.IsClass && type.Assembly == typeof(RouteConfig).Assembly;
}
