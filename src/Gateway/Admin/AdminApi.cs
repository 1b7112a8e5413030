using System.Reflection;
using System.Text.Json.Nodes;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using FenceGateway.TokenStore;
using Yarp.ReverseProxy;

namespace FenceGateway.Gateway.Admin;

/// <summary>What the gateway is and what it runs with: <c>/admin/v1/version</c>, <c>config</c>, <c>routes</c>.</summary>
internal sealed class AdminApi(
    IConfiguration configuration,
    ConfigurationReloader reloader,
    ITokenStore store,
    IProxyStateLookup proxy,
    FencingPolicyRegistry policies,
    AdminResources resources)
{
    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/admin/v1/version", context => AdminJson.WriteAsync(context, 200, Version()));
        endpoints.MapGet("/admin/v1/config", context => AdminJson.WriteAsync(context, 200, Config()));
        endpoints.MapGet("/admin/v1/routes", context => AdminJson.WriteAsync(context, 200, Routes()));
        endpoints.MapGet("/admin/v1/resources", resources.ListAsync);
        endpoints.MapGet("/admin/v1/resources/{**key}", resources.ShowAsync);
        endpoints.MapPost("/admin/v1/resources/{**key}", resources.ChangeAsync);
    }

    private JsonObject Version()
    {
        var assembly = typeof(AdminApi).Assembly;
        return new JsonObject
        {
            ["product"] = "FenceGateway",
            ["version"] = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion,
            ["runtime"] = System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
            ["tokenStore"] = new JsonObject
            {
                ["provider"] = store.Info.Provider,
                ["grade"] = store.Info.Grade.ToString(),
                ["location"] = store.Info.Location,
                ["resources"] = store.Count,
                ["fault"] = store.Fault,
            },
        };
    }

    private JsonObject Config()
    {
        var body = new JsonObject { ["effective"] = ConfigurationPrinter.Print(configuration) };
        if (reloader.LastResult is { } reload)
        {
            body["lastReload"] = new JsonObject
            {
                ["at"] = reload.At.ToString("O"),
                ["taken"] = reload.Error is null,
                ["error"] = reload.Error,
            };
        }

        return body;
    }

    private JsonObject Routes()
    {
        var routes = new JsonArray();
        foreach (var route in proxy.GetRoutes().OrderBy(r => r.Config.RouteId, StringComparer.Ordinal))
        {
            var config = route.Config;
            var policy = config.Metadata?.GetValueOrDefault(FencingMetadata.PolicyKey) is { } name ? policies.Find(name)?.Current : null;
            routes.Add(new JsonObject
            {
                ["route"] = config.RouteId,
                ["path"] = config.Match.Path,
                ["hosts"] = config.Match.Hosts is { } hosts ? new JsonArray([.. hosts.Select(h => JsonValue.Create(h))]) : null,
                ["methods"] = config.Match.Methods is { } methods ? new JsonArray([.. methods.Select(m => JsonValue.Create(m))]) : null,
                ["cluster"] = config.ClusterId,
                ["fencingPolicy"] = policy?.Name,
                ["resource"] = policy?.Resource.Text,
                ["mode"] = policy?.Mode.ToString(),
            });
        }

        return new JsonObject { ["routes"] = routes };
    }
}
