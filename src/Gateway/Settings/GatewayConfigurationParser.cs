using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Cors;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Listeners;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Stores;
using FenceGateway.Gateway.Telemetry;

namespace FenceGateway.Gateway.Settings;

/// <summary>Checks a configuration as a whole: everything that is wrong with it, or what it means.</summary>
internal static class GatewayConfigurationParser
{
    private static readonly string[] Sections = [SectionNames.Gateway, SectionNames.ReverseProxy, "Kestrel", "Serilog"];

    /// <summary>Adds to <paramref name="problems"/>; the result is null if it added any.</summary>
    public static async ValueTask<GatewayConfiguration?> ParseAsync(
        IConfiguration configuration, List<ConfigProblem> problems, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var before = problems.Count;
        CheckSections(configuration, problems);
        var section = configuration.GetSection(SectionNames.Gateway);
        var options = new OptionsReader(problems).Read<GatewayOptions>(section);
        CheckRequests(options.Requests, problems);
        CheckInstanceName(options.InstanceName, problems);
        CheckFolders(options, problems);
        TokenStoreRules.Check(options.TokenStore, problems);
        OtherStoreSections.Check(configuration, options.TokenStore, problems);
        TrustedProxies.Check(options.Requests, problems);
        ListenerRules.Check(configuration, options.Admin, problems);
        KestrelKeys.Check(configuration.GetSection("Kestrel"), problems);
        await ListenerProof.CheckAsync(configuration, options.Admin, problems);
        LoggingProof.Check(configuration, problems);
        var policies = FencingPolicyReader.Read(
            options.FencingPolicies, options.Requests, options.TokenStore.Provider.IsShared(), problems);
        var resilience = ResiliencePolicyReader.Read(options.ResiliencePolicies, problems);
        var limits = RateLimitPolicyReader.Read(options.RateLimiterPolicies, problems);
        var cors = CorsPolicyReader.Read(options.CorsPolicies, problems);
        var resilient = new ResilientRouteRules(resilience);
        var proxy = await ReverseProxyInspector.InspectAsync(
            configuration,
            [
                new FencedRouteRules(options.FencingPolicies.Keys, policies), resilient,
                new RateLimitedRouteRules(options.RateLimiterPolicies.Keys, limits),
            ],
            [resilient, new DestinationRules(), new ConnectionLifetime()],
            problems);
        resilient.CheckPerResource(proxy.Routes, proxy.Clusters, problems);
        ChaosRouteRules.Check(options.Chaos, proxy.Routes, problems);
        RouteCors.Check(proxy.Routes, options.CorsPolicies.Keys, problems);
        return problems.Count > before
            ? null
            : new GatewayConfiguration(options, policies, resilience, limits, cors, proxy.Routes, proxy.Clusters);
    }

    /// <summary>
    /// Other sections belong to .NET, but one that is nearly ours was meant to be ours. Single values are left alone:
    /// every environment variable is one.
    /// </summary>
    private static void CheckSections(IConfiguration configuration, List<ConfigProblem> problems)
    {
        var own = typeof(GatewayOptions).GetProperties().Select(p => p.Name).ToArray();
        foreach (var section in configuration.GetChildren().Where(s => s.GetChildren().Any()))
        {
            if (Sections.Contains(section.Key, StringComparer.OrdinalIgnoreCase))
            {
                continue;
            }

            if (own.Contains(section.Key, StringComparer.OrdinalIgnoreCase))
            {
                problems.Add(new(ConfigPath.Of(section.Path), "belongs inside 'FenceGateway'"));
            }
            else if (NearestName.Of(section.Key, Sections) is { } nearest)
            {
                problems.Add(new(ConfigPath.Of(section.Path), $"is an unknown key; did you mean '{nearest}'?"));
            }
        }
    }

    /// <summary>Each store locks its folder: one of the two would not start.</summary>
    private static void CheckFolders(GatewayOptions options, List<ConfigProblem> problems)
    {
        var (tokens, answers) = (options.TokenStore.Embedded.Path, options.Idempotency.Path);
        var before = problems.Count;
        CheckPath(tokens, ConfigPath.Of(
            SectionNames.Gateway, nameof(GatewayOptions.TokenStore), nameof(options.TokenStore.Embedded),
            nameof(EmbeddedStoreOptions.Path)));
        CheckPath(
            answers,
            ConfigPath.Of(SectionNames.Gateway, nameof(GatewayOptions.Idempotency), nameof(options.Idempotency.Path)));
        if (problems.Count == before && tokens.Length > 0 && answers.Length > 0
            && Path.TrimEndingDirectorySeparator(Path.GetFullPath(tokens)) == Path.TrimEndingDirectorySeparator(
                Path.GetFullPath(answers)))
        {
            problems.Add(new(
                ConfigPath.Of(
                    SectionNames.Gateway, nameof(GatewayOptions.Idempotency), nameof(options.Idempotency.Path)),
                $"is '{answers}', the folder of the token store; choose another"));
        }

        void CheckPath(string folder, string path)
        {
            if (folder.Contains('\0', StringComparison.Ordinal))
            {
                problems.Add(new(path, "has a null character in it, which no path can have"));
            }
        }
    }

    private static void CheckInstanceName(string? name, List<ConfigProblem> problems)
    {
        if (name is not null
            && !(name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-')))
        {
            problems.Add(new(
                ConfigPath.Of(SectionNames.Gateway, nameof(GatewayOptions.InstanceName)),
                $"is '{SecretText.Shown(name)}' where 1 to 64 of a-z, A-Z, 0-9, '.' and '-' are expected"));
        }
    }

    private static void CheckRequests(RequestOptions requests, List<ConfigProblem> problems)
    {
        Check(requests.CorrelationHeader, nameof(requests.CorrelationHeader));
        Check(requests.TenantHeader, nameof(requests.TenantHeader));
        if (requests.TenantHeader.Length > 0
            && HeaderRules.Folded(requests.TenantHeader) == HeaderRules.Folded(requests.CorrelationHeader))
        {
            problems.Add(new(Path(nameof(requests.TenantHeader)), "is the same header as CorrelationHeader"));
        }

        void Check(string header, string name)
        {
            if (header.Length > 0 && HeaderRules.Check(header) is { } error)
            {
                problems.Add(new(Path(name), error));
            }
        }

        static string Path(string name) => ConfigPath.Of(SectionNames.Gateway, nameof(GatewayOptions.Requests), name);
    }
}
