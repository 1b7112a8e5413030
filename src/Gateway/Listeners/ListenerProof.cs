using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Overload;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace FenceGateway.Gateway.Listeners;

/// <summary>
/// Starts Kestrel with the settings of both listeners, certificates included, on a transport that opens no socket.
/// Kestrel stops at the first fault, often without its place; so each part is then tried alone.
/// </summary>
internal static class ListenerProof
{
    private const string Section = "Kestrel";
    private const string Endpoints = $"{Section}:Endpoints:";
    private const string Certificates = $"{Section}:Certificates:";
    private const string AnyUrl = "http://127.0.0.1:0";
    private const string AnyHttps = "https://127.0.0.1:0";
    private const string Default = "in Kestrel:Certificates:Default (Path and Password, or Path and KeyPath)";

    public static async ValueTask CheckAsync(
        IConfiguration configuration, AdminOptions options, List<ConfigProblem> problems)
    {
        // What is no address was reported by the rules of listeners.
        var reported = problems.Select(static problem => problem.Path).ToHashSet(StringComparer.Ordinal);
        var endpoints = configuration.GetSection(Endpoints.TrimEnd(':')).GetChildren().ToArray();
        var sound = Array.FindAll(endpoints, endpoint => !reported.Contains(ConfigPath.Of($"{endpoint.Path}:Url")));
        var urls = endpoints.Length > 0
            ? []
            : DataUrls.Of(configuration).Where(url => !reported.Contains(url.Path)).ToArray();
        var path = ConfigPath.Of(SectionNames.Gateway, SectionNames.Admin, nameof(options.Url));
        string[] admin = options.Url.Length > 0 && !reported.Contains(path) ? [options.Url] : [];
        var all = Settings(
            configuration,
            key => !Under(key, Endpoints) || Array.Exists(sound, endpoint => Under(key, $"{endpoint.Path}:")));
        if (endpoints.Length == 0 && await FaultAsync(all, [.. urls.Select(static url => url.Url), .. admin]) is null)
        {
            return;
        }

        if (await FaultAsync(all, [.. urls.Select(static url => url.Url)]) is { } whole)
        {
            var before = problems.Count;
            await CheckPartsAsync(configuration, sound, urls, problems);
            if (problems.Count == before)
            {
                problems.Add(Problem(ConfigPath.Of(Section), whole));
            }
        }

        if (admin.Length > 0 && await FaultAsync([], admin) is { } fault)
        {
            problems.Add(Problem(path, fault));
        }
    }

    /// <summary>What holds for all endpoints, then each of them with it.</summary>
    private static async ValueTask CheckPartsAsync(
        IConfiguration configuration,
        IConfigurationSection[] endpoints,
        (string Url, string Path)[] urls,
        List<ConfigProblem> problems)
    {
        var limits = Settings(configuration, static key => !Under(key, Endpoints) && !Under(key, Certificates));
        if (await FaultAsync(limits, [AnyUrl]) is { } ofLimits)
        {
            problems.Add(Problem(ConfigPath.Of(Section), ofLimits));
            return;
        }

        // Without an endpoint of its own, every one that is https takes the default certificate.
        var common = Settings(configuration, static key => !Under(key, Endpoints));
        if (common.Length > limits.Length && await FaultAsync(common, [AnyHttps]) is { } byDefault)
        {
            problems.Add(Problem(ConfigPath.Of(Section, "Certificates", "Default"), byDefault));
            return;
        }

        foreach (var endpoint in endpoints)
        {
            var own = Settings(configuration, key => Under(key, $"{endpoint.Path}:"));
            if (await FaultAsync([.. common, .. own], []) is { } fault)
            {
                var isOfCertificate = await FaultAsync([.. common, .. Plain(endpoint)], []) is null;
                var path = isOfCertificate ? $"{endpoint.Path}:Certificate" : endpoint.Path;
                problems.Add(Problem(ConfigPath.Of(path), fault));
            }
        }

        foreach (var (url, path) in urls)
        {
            if (await FaultAsync(common, [url]) is { } fault)
            {
                problems.Add(Problem(path, fault));
            }
        }
    }

    /// <summary>The endpoint without encryption.</summary>
    private static KeyValuePair<string, string?>[] Plain(IConfigurationSection endpoint) =>
        [new($"{endpoint.Path}:Url", endpoint["Url"]?.Replace("https:", "http:", StringComparison.OrdinalIgnoreCase))];

    private static async ValueTask<Exception?> FaultAsync(
        IEnumerable<KeyValuePair<string, string?>> settings, string[] urls)
    {
        // Files of certificates are relative to where the gateway was started.
        var builder = WebApplication.CreateEmptyBuilder(new() { ContentRootPath = Environment.CurrentDirectory });
        builder.Configuration.AddInMemoryCollection(settings);
        builder.WebHost.UseGatewayListeners(new LimitsOptions().MaxConnections);
        var transport = new UnboundListeners();
        builder.Services.AddSingleton<IConnectionListenerFactory>(transport);
        if (builder.Services.Any(static s => s.ServiceType == typeof(IMultiplexedConnectionListenerFactory)))
        {
            builder.Services.Replace(ServiceDescriptor.Singleton<IMultiplexedConnectionListenerFactory>(transport));
        }

        try
        {
            await using var app = builder.Build();
            // The server alone: the host would take signals.
            var server = app.Services.GetRequiredService<IServer>();
            Array.ForEach(urls, server.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Add);
            await server.StartAsync(new NoApplication(), CancellationToken.None);
            await server.StopAsync(CancellationToken.None);
            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Kestrel, its binder and the readers of certificates throw what they like.
            return e;
        }
    }

    private static KeyValuePair<string, string?>[] Settings(IConfiguration configuration, Func<string, bool> isTaken) =>
        [.. configuration.GetSection(Section).AsEnumerable().Where(pair => isTaken(pair.Key))];

    private static bool Under(string key, string prefix) =>
        $"{key}:".StartsWith(prefix, StringComparison.OrdinalIgnoreCase);

    private static ConfigProblem Problem(string path, Exception fault)
    {
        var message = fault.GetBaseException().Message;
        var here = path.EndsWith(".Certificate", StringComparison.Ordinal) ? "here or " : "";
        return new(path, message.Contains("No server certificate was specified", StringComparison.Ordinal)
            ? $"asks for https without a certificate: give one {here}{Default}"
            : $"is refused by Kestrel: {message.ReplaceLineEndings(" ")}");
    }

    private sealed class NoApplication : IHttpApplication<object>
    {
        public object CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

        public Task ProcessRequestAsync(object context) => Task.CompletedTask;

        public void DisposeContext(object context, Exception? exception)
        {
            // There is none.
        }
    }
}
