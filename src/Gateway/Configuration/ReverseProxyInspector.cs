using System.Collections.Frozen;
using FenceGateway.Gateway.LoadBalancing;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Configuration;

/// <summary>Reads and checks YARP's section with YARP's own code, in a container of its own.</summary>
internal static class ReverseProxyInspector
{
    public const string Section = "ReverseProxy";

    public static async ValueTask<(IReadOnlyList<RouteConfig> Routes, IReadOnlyList<ClusterConfig> Clusters)> InspectAsync(
        IConfiguration configuration, List<ConfigProblem> problems)
    {
        var section = configuration.GetSection(Section);
        ReverseProxyKeys.Check(section, problems);
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(configuration);
        services.AddReverseProxy().LoadFromConfig(section).AddResourceHash();
        await using var provider = services.BuildServiceProvider();
        if (Load(provider, section, problems) is not { } config)
        {
            return ([], []);
        }

        var validator = provider.GetRequiredService<IConfigValidator>();
        foreach (var route in config.Routes)
        {
            Add(await validator.ValidateRouteAsync(ReverseProxyKeys.WithoutUnsupported(route)), "Routes", route.RouteId, problems);
            CheckCluster(route, config.Clusters, problems);
        }

        foreach (var cluster in config.Clusters)
        {
            Add(await validator.ValidateClusterAsync(cluster), "Clusters", cluster.ClusterId, problems);
            CheckDestinations(cluster, problems);
        }

        return (config.Routes, config.Clusters);
    }

    private static IProxyConfig? Load(ServiceProvider provider, IConfigurationSection section, List<ConfigProblem> problems)
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
                problems.Add(new(ConfigPath.Of(Section), $"is refused by YARP: {Message(whole)}"));
            }

            return null;
        }
    }

    private static string? LoadError(IConfigurationSection entry)
    {
        var alone = new ConfigurationBuilder().AddInMemoryCollection(entry.AsEnumerable()).Build();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddReverseProxy().LoadFromConfig(alone.GetSection(Section));
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

    private static void CheckCluster(RouteConfig route, IReadOnlyList<ClusterConfig> clusters, List<ConfigProblem> problems)
    {
        var path = ConfigPath.Of(Section, "Routes", route.RouteId, nameof(RouteConfig.ClusterId));
        if (string.IsNullOrEmpty(route.ClusterId))
        {
            problems.Add(new(path, "is required: a route without a cluster answers nothing"));
        }
        else if (!clusters.Any(c => c.ClusterId.Equals(route.ClusterId, StringComparison.OrdinalIgnoreCase)))
        {
            var known = clusters.Select(c => c.ClusterId).ToArray();
            problems.Add(new(path, $"names no cluster '{route.ClusterId}'; {NearestName.Hint(route.ClusterId, known, "clusters")}"));
        }
    }

    /// <summary>YARP takes any text and fails each request instead.</summary>
    private static void CheckDestinations(ClusterConfig cluster, List<ConfigProblem> problems)
    {
        foreach (var (id, destination) in cluster.Destinations ?? FrozenDictionary<string, DestinationConfig>.Empty)
        {
            Check(nameof(DestinationConfig.Address), destination.Address);
            Check(nameof(DestinationConfig.Health), destination.Health);

            void Check(string key, string? address)
            {
                if (string.IsNullOrEmpty(address) || (Uri.TryCreate(address, UriKind.Absolute, out var uri)
                    && uri is { Scheme: "http" or "https", Host.Length: > 0, UserInfo.Length: 0, Query.Length: 0, Fragment.Length: 0 }))
                {
                    return;
                }

                var path = ConfigPath.Of(Section, "Clusters", cluster.ClusterId, nameof(ClusterConfig.Destinations), id, key);
                problems.Add(new(path, $"is '{SecretText.Shown(address)}' where an address such as http://127.0.0.1:9001/ is expected"));
            }
        }
    }

    private static void Add(IEnumerable<Exception> errors, string kind, string id, List<ConfigProblem> problems) =>
        problems.AddRange(errors.Select(e => new ConfigProblem(ConfigPath.Of(Section, kind, id), $"is refused by YARP: {Message(e)}")));

    private static string Message(Exception e) =>
        (e.InnerException is { } inner ? $"{e.Message} {inner.Message}" : e.Message).ReplaceLineEndings(" ");
}
