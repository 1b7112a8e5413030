using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.LoadBalancing;
using FenceGateway.Gateway.RateLimiting;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.ClusterValidators;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// Reads and checks YARP's section with YARP's own code, in a container of its own. Rules about one route or one
/// cluster are validators beside YARP's.
/// </summary>
internal static class ReverseProxyInspector
{
    public static async ValueTask<(
        IReadOnlyList<RouteConfig> Routes, IReadOnlyList<ClusterConfig> Clusters)> InspectAsync(
        IConfiguration configuration, IRouteValidator[] routeRules, IClusterValidator[] clusterRules,
        List<ConfigProblem> problems)
    {
        var section = configuration.GetSection(SectionNames.ReverseProxy);
        ReverseProxyKeys.Check(section, problems);
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(configuration);
        services.AddReverseProxy().LoadFromConfig(section).AddResourceHash();
        Array.ForEach(routeRules, rule => services.AddSingleton(rule));
        Array.ForEach(clusterRules, rule => services.AddSingleton(rule));
        await using var provider = services.BuildServiceProvider();
        if (Load(provider, section, problems) is not { } config)
        {
            return ([], []);
        }

        await CheckAsync(provider.GetRequiredService<IConfigValidator>(), config, problems);
        return (config.Routes, config.Clusters);
    }

    /// <summary>Each route and each cluster alone, then what of them is right alone together.</summary>
    private static async ValueTask CheckAsync(
        IConfigValidator validator, IProxyConfig config, List<ConfigProblem> problems)
    {
        var clusters = new List<ClusterConfig>();
        var routes = new List<RouteConfig>();
        foreach (var route in config.Routes)
        {
            var before = problems.Count;
            var served = ReverseProxyKeys.WithoutUnsupported(RouteRateLimit.ForYarp(route));
            Add(await validator.ValidateRouteAsync(served), ReverseProxyRules.PathIn(route), problems);
            CheckCluster(route, config.Clusters, problems);
            if (problems.Count == before)
            {
                routes.Add(served);
            }
        }

        foreach (var cluster in config.Clusters)
        {
            var before = problems.Count;
            Add(await validator.ValidateClusterAsync(cluster), ReverseProxyRules.PathIn(cluster), problems);
            if (problems.Count == before)
            {
                clusters.Add(cluster);
            }
        }

        var sound = clusters.Select(static c => c.ClusterId).ToHashSet(StringComparer.OrdinalIgnoreCase);
        await RouterProof.CheckAsync([.. routes.Where(route => sound.Contains(route.ClusterId!))], clusters, problems);
    }

    private static IProxyConfig? Load(
        ServiceProvider provider, IConfigurationSection section, List<ConfigProblem> problems)
    {
        try
        {
            return provider.GetRequiredService<IProxyConfigProvider>().GetConfig();
        }
        catch (Exception whole) when (whole is not OutOfMemoryException)
        {
            // YARP stops at the first value that it cannot read and does not say where: try each entry alone.
            var before = problems.Count;
            foreach (var entry in section.GetChildren().SelectMany(s => s.GetChildren()))
            {
                if (LoadError(entry) is { } error)
                {
                    problems.Add(new(ConfigPath.Of(entry.Path), $"is refused by YARP: {error}"));
                }
            }

            if (problems.Count == before)
            {
                problems.Add(new(ConfigPath.Of(SectionNames.ReverseProxy), $"is refused by YARP: {Message(whole)}"));
            }

            return null;
        }
    }

    private static string? LoadError(IConfigurationSection entry)
    {
        var alone = new ConfigurationBuilder().AddInMemoryCollection(entry.AsEnumerable()).Build();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddReverseProxy().LoadFromConfig(alone.GetSection(SectionNames.ReverseProxy));
        using var provider = services.BuildServiceProvider();
        try
        {
            _ = provider.GetRequiredService<IProxyConfigProvider>().GetConfig();
            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return Message(e);
        }
    }

    /// <summary>Not for a validator, which sees one route and no cluster.</summary>
    private static void CheckCluster(
        RouteConfig route, IReadOnlyList<ClusterConfig> clusters, List<ConfigProblem> problems)
    {
        var path = ReverseProxyRules.PathIn(route, nameof(RouteConfig.ClusterId));
        if (string.IsNullOrEmpty(route.ClusterId))
        {
            problems.Add(new(path, "is required: a route without a cluster answers nothing"));
        }
        else if (!clusters.Any(c => c.ClusterId.Equals(route.ClusterId, StringComparison.OrdinalIgnoreCase)))
        {
            var known = clusters.Select(c => c.ClusterId).ToArray();
            problems.Add(
                new(path, $"names no cluster '{route.ClusterId}'; "
                    + $"{NearestName.Hint(route.ClusterId, known, "clusters")}"));
        }
    }

    private static void Add(IEnumerable<Exception> errors, string path, List<ConfigProblem> problems) =>
        problems.AddRange(errors.Select(e => e is ConfigProblemException own
            ? own.Problem
            : new ConfigProblem(path, $"is refused by YARP: {Message(e)}")));

    private static string Message(Exception e) =>
        (e.InnerException is { } inner ? $"{e.Message} {inner.Message}" : e.Message).ReplaceLineEndings(" ");
}
