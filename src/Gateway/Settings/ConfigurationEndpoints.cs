using System.Reflection;
using System.Text.Json.Nodes;
using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Stores;
using Yarp.ReverseProxy;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// What the gateway is and what it runs with: <c>/admin/v1/version</c>, <c>config</c>, <c>routes</c>.
/// </summary>
internal sealed class ConfigurationEndpoints(
    IConfiguration configuration,
    LastGoodConfiguration lastGood,
    IProxyStateLookup proxy,
    ChaosRules chaos,
    StoreEndpoints store) : IAdminEndpoints
{
    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/admin/v1/version", context => AdminJson.WriteAsync(context, 200, Version()));
        endpoints.MapGet("/admin/v1/config", context => AdminJson.WriteAsync(context, 200, Config()));
        endpoints.MapGet("/admin/v1/routes", context => AdminJson.WriteAsync(context, 200, Routes()));
    }

    private JsonObject Version()
    {
        var assembly = typeof(ConfigurationEndpoints).Assembly;
        return new JsonObject
        {
            ["product"] = "FenceGateway",
            ["version"] = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion,
            ["runtime"] = System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
            ["tokenStore"] = store.DescribeStore(),
        };
    }

    private JsonObject Config()
    {
        var body = EffectiveConfiguration.Render(configuration, lastGood.Current.Options);
        var reload = lastGood.LastReload;
        body["lastReload"] = new JsonObject
        {
            ["file"] = lastGood.File,
            ["at"] = reload.At.ToString("O"),
            ["succeeded"] = reload.Succeeded,
            ["problems"] = new JsonArray([.. reload.Problems.Select(p => JsonValue.Create(p.ToString()))]),
            ["needsRestart"] = new JsonArray([.. reload.NeedsRestart.Select(n => JsonValue.Create(n))]),
        };
        body["warnings"] = new JsonArray(
            [.. ConfigurationWarnings.Of(lastGood.Current).Select(w => JsonValue.Create(w.ToString()))]);
        body["chaos"] = new JsonObject
        {
            ["allowed"] = chaos.IsAllowed,
            ["inForce"] = new JsonArray([.. chaos.Names.Select(name => JsonValue.Create(name))]),
        };
        return body;
    }

    private JsonObject Routes()
    {
        var routes = new JsonArray();
        foreach (var route in proxy.GetRoutes().OrderBy(r => r.Config.RouteId, StringComparer.Ordinal))
        {
            var config = route.Config;
            var policy = config.Metadata?.GetValueOrDefault(FencedRouteRules.MetadataKey) is { } name
                ? lastGood.Current.FencingPolicies.GetValueOrDefault(name)
                : null;
            routes.Add(new JsonObject
            {
                ["route"] = config.RouteId,
                ["path"] = config.Match.Path,
                ["hosts"] = config.Match.Hosts is { } hosts
                    ? new JsonArray([.. hosts.Select(h => JsonValue.Create(h))])
                    : null,
                ["methods"] = config.Match.Methods is { } methods
                    ? new JsonArray([.. methods.Select(m => JsonValue.Create(m))])
                    : null,
                ["cluster"] = config.ClusterId,
                ["fencingPolicy"] = policy?.Name,
                ["resource"] = policy?.Resource.Text,
                ["mode"] = policy?.Mode.ToString(),
                ["resiliencePolicy"] = ResilientRouteRules
                    .PolicyOf(config.Metadata, lastGood.Current.ResiliencePolicies)?.Name,
                ["rateLimiterPolicy"] = RouteRateLimit.PolicyOf(config),
            });
        }

        return new JsonObject { ["routes"] = routes };
    }
}
