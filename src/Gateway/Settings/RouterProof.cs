using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.LoadBalancing;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// Builds what will route requests, YARP's endpoints and ASP.NET's matcher for them, in a container that is thrown
/// away, and asks the matcher for requests that two routes may claim. YARP's own checks look at one route at a time and
/// resolve no constraint; and ASP.NET's matcher, when it cannot be rebuilt after a reload, serves the old routes for
/// ever.
/// </summary>
internal static class RouterProof
{
    /// <param name="routes">Those without a problem of their own, as YARP gets them.</param>
    /// <param name="clusters">Those without a problem of their own; all that the routes name are among them.</param>
    /// <param name="problems">Gets what is wrong.</param>
    public static async ValueTask CheckAsync(
        IReadOnlyList<RouteConfig> routes, IReadOnlyList<ClusterConfig> clusters, List<ConfigProblem> problems)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore(); // Never started, and asked for by the builder.
        builder.Services.AddRouting();
        // Without health checks: a proof sends nothing to a service.
        builder.Services.AddReverseProxy().AddResourceHash()
            .LoadFromMemory(routes, [.. clusters.Select(static cluster => cluster with { HealthCheck = null })]);
        await using var app = builder.Build();
        if (Endpoints(app, problems) is not { } endpoints)
        {
            return;
        }

        if (await BuildFaultAsync(app.Services, endpoints) is not { } whole)
        {
            await new RouteAmbiguity(app.Services, Matcher(app.Services, endpoints), endpoints).CheckAsync(problems);
            return;
        }

        // The matcher does not say whose fault it is: try each route alone.
        var before = problems.Count;
        foreach (var endpoint in endpoints)
        {
            if (await BuildFaultAsync(app.Services, endpoint) is { } fault)
            {
                problems.Add(ProblemOf(endpoint, fault));
            }
        }

        if (problems.Count == before)
        {
            var path = ConfigPath.Of(SectionNames.ReverseProxy, "Routes");
            problems.Add(new(path, $"cannot be matched together: {Message(whole)}"));
        }
    }

    private static RouteEndpoint[]? Endpoints(WebApplication app, List<ConfigProblem> problems)
    {
        try
        {
            app.MapReverseProxy();
            var sources = ((IEndpointRouteBuilder)app).DataSources;
            return [.. sources.SelectMany(static source => source.Endpoints).Cast<RouteEndpoint>()];
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // YARP builds clients, transforms and endpoints here, each of which throws what it likes.
            problems.Add(new(ConfigPath.Of(SectionNames.ReverseProxy), $"cannot be built by YARP: {Message(e)}"));
            return null;
        }
    }

    private static async ValueTask<Exception?> BuildFaultAsync(
        IServiceProvider services, params RouteEndpoint[] endpoints)
    {
        try
        {
            // ASP.NET builds the matcher when the first request comes.
            await Matcher(services, endpoints)(new DefaultHttpContext { RequestServices = services });
            return null;
        }
        catch (Exception e) when (RouteAmbiguity.IsAmbiguous(e))
        {
            // The matcher was built; which routes are meant is found out later.
            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Constraints are made here, and throw what they like.
            return e;
        }
    }

    /// <summary>A pipeline of ASP.NET's own routing that ends before an endpoint would run.</summary>
    private static RequestDelegate Matcher(IServiceProvider services, RouteEndpoint[] endpoints)
    {
        var pipeline = new ApplicationBuilder(services);
        pipeline.UseRouting();
        pipeline.Use(static _ => static _ => Task.CompletedTask);
        pipeline.UseEndpoints(routes => routes.DataSources.Add(new DefaultEndpointDataSource(endpoints)));
        return pipeline.Build();
    }

    public static ConfigProblem ProblemOf(Endpoint endpoint, Exception fault) =>
        new(ReverseProxyRules.PathIn(RouteOf(endpoint), "Match", "Path"), $"cannot be matched: {Message(fault)}");

    public static RouteConfig RouteOf(Endpoint endpoint) => endpoint.Metadata.GetRequiredMetadata<RouteModel>().Config;

    private static string Message(Exception e) => e.GetBaseException().Message.ReplaceLineEndings(" ");
}
